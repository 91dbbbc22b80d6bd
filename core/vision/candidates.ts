import { EdgeError } from '../errors';

const FIRST_CAPACITY = 256;
/** Pixels beyond which nothing is a box; a float32 holds it, and the area of such a box too. */
const FARTHEST = 1e18;

/**
 * Boxes that passed the score threshold, before suppression: parallel columns, so that a decoder's pass over thousands of
 * anchors allocates nothing per anchor. Coordinates are pixels of the model input.
 */
export class Candidates {
  length = 0;
  left = new Float32Array(FIRST_CAPACITY);
  top = new Float32Array(FIRST_CAPACITY);
  right = new Float32Array(FIRST_CAPACITY);
  bottom = new Float32Array(FIRST_CAPACITY);
  scores = new Float32Array(FIRST_CAPACITY);
  classes = new Uint16Array(FIRST_CAPACITY);
  /** Which anchor the box came from, so that landmarks are decoded only for boxes that are kept. */
  anchors = new Uint32Array(FIRST_CAPACITY);

  /**
   * An empty box is left out.
   * @throws EDGE_MODEL_OUTPUT_NOT_FINITE when the box or its score is NaN, infinite or larger than a float32 holds.
   */
  add(left: number, top: number, right: number, bottom: number, score: number, classIndex: number, anchor: number): void {
    // One test in the usual case: NaN and infinity fail it too and are told apart only then.
    const isBox = right > left && bottom > top && score < Infinity;
    if (!isBox || !(left > -FARTHEST && top > -FARTHEST && right < FARTHEST && bottom < FARTHEST)) {
      if ([left, top, right, bottom, score].every((value) => Math.abs(value) < FARTHEST)) return;
      throw notFinite();
    }
    if (this.length === this.scores.length) this.grow();
    const at = this.length++;
    this.left[at] = left;
    this.top[at] = top;
    this.right[at] = right;
    this.bottom[at] = bottom;
    this.scores[at] = score;
    this.classes[at] = classIndex;
    this.anchors[at] = anchor;
  }

  private grow(): void {
    const capacity = this.scores.length * 4;
    this.left = copyInto(new Float32Array(capacity), this.left);
    this.top = copyInto(new Float32Array(capacity), this.top);
    this.right = copyInto(new Float32Array(capacity), this.right);
    this.bottom = copyInto(new Float32Array(capacity), this.bottom);
    this.scores = copyInto(new Float32Array(capacity), this.scores);
    this.classes = copyInto(new Uint16Array(capacity), this.classes);
    this.anchors = copyInto(new Uint32Array(capacity), this.anchors);
  }
}

export function notFinite(): EdgeError {
  return new EdgeError('EDGE_MODEL_OUTPUT_NOT_FINITE', undefined, {
    mend: 'The model file may be damaged, or its input is prepared in another way than its manifest says',
  });
}

function copyInto<T extends { set(from: T): void }>(to: T, from: T): T {
  to.set(from);
  return to;
}
