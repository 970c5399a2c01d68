"""The review: how do people look at the doubtful items and say what is right? Queue in, verdicts out.

    catalogue.py   N items as typed arrays             guard.py    Host, Origin, body and rate, before any route
    arrange.py     the order of visual similarity      app.py      the routes
    tiles.py       thumbnails and sheets of 60         spoken.py   an answer of the page as a verdict
    evidence.py    the side panel                      writer.py   the one writer of the journal: group commit
    plan.py        today's plan                        record.py   what the journal says, kept up to date in memory
    desk.py        all of these, for the routes        logs.py     what all logs say, others' lines included
    server.py      start and end                       signoff.py  what waits for a reviewer
    people.py      reviewers, roles, tokens            claims.py   who has which items on screen
    sessions.py    tokens and links in, cookies out    shell.py    the page before its data, as one script
    gold.py        blind gold: which, and how judged   blind.py    what of it each person is shown
    closing.py     the routes that end a session       summary.py  what has come of it
    publishing.py  a revision, beside the page         refusal.py  a mistake as a status and one sentence
    hosts.py       names, and who reaches an address   threads.py  what is asked, and what was sent back
    rates.py       how many requests, of whom          entrance.py a token becomes a session
    wording.py     a label in words                    talk.py     what people said of one item
    static/        the page: vanilla ES modules, a noun each, no build step

The order of what an answer goes through: guard -> app -> writer -> .assay/journal/<reviewer>.jsonl, fsync, and only
then the tick on the screen. The page shows nothing as saved before.
"""
