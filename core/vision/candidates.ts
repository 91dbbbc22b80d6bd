import { EdgeError } from '../errors';

const FIRST_CAPACITY = 256;

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

  /** An empty box is left out. @throws EDGE_MODEL_OUTPUT_NOT_FINITE when the box or its score is NaN or infinite. */
  add(left: number, top: number, right: number, bottom: number, score: number, classIndex: number, anchor: number): void {
    const width = right - left;
    const height = bottom - top;
    // One comparison in the usual case: NaN and infinity fail it too and are told apart only then.
    if (!(width > 0 && height > 0 && width < Infinity && height < Infinity && score < Infinity)) {
      if (Number.isFinite(width) && Number.isFinite(height) && Number.isFinite(score)) return;
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
