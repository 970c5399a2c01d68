"""What do the annotations of a labelling tool say, as rows of a file of answers?

Pure: records with an Annotation in, records with the fields of answersheet.py out; a row that cannot be one is refused
with a reason. The item must be ours and must still have the content that was shown. Nothing is guessed about people:
who annotated is named by `--person WHO=NAME`; one that is not named is `--reviewer`, two of them are refused.

    a choice or text            keep, if it is the label that was shown, else relabel; several of them: ambiguous
    keep, unsure, remove        that; a suggestion that was left as it was beside them does not count
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from . import answers
from .answersheet import Known, check_reviewer
from .formats import Annotation, Record, shown
from .model import Mistake, label_json

REVISION = re.compile(r"dataset@v\d{1,9}\.\d{1,9}\.\d{1,9}")
EXPORT_AGAIN = "Hand it out again: assay export label-studio FILE"


@dataclass(frozen=True, slots=True)
class Read:
    """Rows for answersheet.read, and those that are refused before."""

    rows: tuple[Record, ...]
    refused: tuple[tuple[Record, str], ...]


def people(named: Iterable[str]) -> dict[str, str]:
    """["7=maria", "bob@acme.org=bob"] -> who they are in the tool -> reviewer; Mistake for anything else."""
    found: dict[str, str] = {}
    for pair in named:
        who, equals, name = pair.rpartition("=")
        if not equals or not who.strip():
            raise Mistake(f"Person '{shown(pair)}' is not WHO=NAME, as in: --person 7=maria --person bob@acme.org=bob")
        if found.setdefault(who.strip().lower(), check_reviewer(name.strip())) != name.strip():
            raise Mistake(
                f"Person '{shown(who)}' is named twice: {found[who.strip().lower()]} and {name}. Name each once."
            )
    return found


def read(
    records: Sequence[Record],
    known: Known,
    *,
    reviewer: str,
    named: Mapping[str, str],
    addresses: Mapping[str, str],
) -> Read:
    """The records as rows; those without an Annotation pass as they are. `addresses`: number -> e-mail address."""
    records = [_addressed(record, addresses) for record in records]
    strangers = {one.by for record in records if (one := record.annotation) and one.op and not _name(one, named)}
    rows: list[Record] = []
    refused: list[tuple[Record, str]] = []
    for record in records:
        one = record.annotation
        if one is None or one.left:
            rows.append(record)
            continue
        try:
            who = _name(one, named) or reviewer
            if len(strangers) > 1 and not _name(one, named):
                rule = f"{len(strangers)} people have no name here. Name each: --person {_who(one)}=NAME"
                raise ValueError(_sentence(record, "annotator", _who(one), rule))
            rows.append(replace(record, fields={**_fields(record, one, known), "reviewer": who}))
        except ValueError as error:
            refused.append((record, str(error)))
    return Read(tuple(rows), tuple(refused))


def _addressed(record: Record, addresses: Mapping[str, str]) -> Record:
    one = record.annotation
    if one is None or len(one.by) != 1 or one.by[0] not in addresses:
        return record
    return replace(record, annotation=replace(one, by=(*one.by, addresses[one.by[0]])))


def _who(one: Annotation) -> str:
    """How somebody is best named: by address, else by number."""
    return shown(one.by[-1]) if one.by else "nobody"


def _name(one: Annotation, named: Mapping[str, str]) -> str | None:
    return next((named[who.lower()] for who in one.by if who.lower() in named), None)


def _fields(record: Record, one: Annotation, known: Known) -> dict[str, str]:
    _check(record, one, known)
    said: dict[str, list[str]] = {"label": [], "action": []}
    touched = False
    for control, value, by_hand in one.said:
        try:
            said[control] += known.kind.spoken(value) if control == "label" else _choices(value)
        except ValueError as error:
            raise ValueError(_sentence(record, control, str(value), f"{error}".capitalize())) from None
        touched = touched or (control == "label" and by_hand)
    labels, actions = list(dict.fromkeys(said["label"])), list(dict.fromkeys(said["action"]))
    if len(actions) > 1:
        raise ValueError(_sentence(record, "action", ", ".join(actions), "One of keep, unsure, remove is allowed"))
    action = actions[0] if actions else "ambiguous" if len(labels) > 1 else ""
    if action in ("unsure", "remove") or (action == "keep" and not touched):
        labels = []
    label = label_json(labels) if action == "ambiguous" else "".join(labels[:1])
    if action == "keep" and len(labels) > 1:
        raise ValueError(_sentence(record, "label", ", ".join(labels), "Its action is keep; leave the label empty"))
    return {"item": one.item, "action": action, "label": label, "seen": one.given, "op": one.op}


def _check(record: Record, one: Annotation, known: Known) -> None:
    """Whether it is about an item that is ours, as it was shown."""
    if not one.item:
        raise ValueError(_sentence(record, "assay_item", "", f"Its data does not say which item it is. {EXPORT_AGAIN}"))
    content = known.assets.get(one.item)
    if content is not None and one.asset != content:
        rule = f"The item's content is now {content[:12]}..: it is another than was shown. {EXPORT_AGAIN}"
        raise ValueError(_sentence(record, "assay_asset", one.asset, rule))
    if one.revision and not REVISION.fullmatch(one.revision):
        raise ValueError(_sentence(record, "assay_revision", one.revision, "Revisions are as in dataset@v1.2.3"))
    if not one.op:
        raise ValueError(_sentence(record, "id", "", "Number, created_at and updated_at of the annotation are needed"))
    try:
        answers.moment(one.at)
    except ValueError:
        raise ValueError(_sentence(record, "updated_at", one.at, "ISO 8601 is allowed")) from None


def _choices(value: object) -> list[str]:
    names = value.get("choices") if isinstance(value, Mapping) else [value]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("it is no choice")
    return names


def _sentence(record: Record, field: str, value: str, rule: str) -> str:
    return f"Row '{record.source}' has {field} '{shown(value, 60)}'. {rule}."
