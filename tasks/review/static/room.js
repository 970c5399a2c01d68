// What do the rooms of the page share? Each is one noun; what they have in common lies in the review.

export class Room {
  constructor(review) {
    this.review = review;
  }

  get me() {
    return this.review.me;
  }

  get catalogue() {
    return this.review.catalogue;
  }

  get grid() {
    return this.review.grid;
  }

  get selection() {
    return this.review.selection;
  }

  get answering() {
    return this.review.answering;
  }

  get outbox() {
    return this.review.outbox;
  }
}
