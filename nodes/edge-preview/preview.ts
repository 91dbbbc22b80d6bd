import { randomUUID } from 'node:crypto';
import { pictureOf } from '../../core/delivery/compose';
import { readImageHeader, turnsSides } from '../../core/media/image-header';
import { toFrame } from '../../core/media/image-input';
import { toJpeg } from '../../core/media/jpeg';
import type { ClassMask, Detection } from '../../core/message/results';
import { MOST_RUNS } from '../../core/vision/class-mask';

/** A box or a line of text beyond these helps nobody on a picture of 320 pixels. */
const MOST_BOXES = 200;
const MOST_LETTERS = 120;
/** Of all people together; a joint that the model is not surer of than this is not drawn. */
const MOST_POINTS = 2000;
const SEEN = 0.2;

export interface ViewBox {
  label: string;
  score: number;
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface ViewPoint {
  x: number;
  y: number;
}

export interface ViewLine {
  from: ViewPoint;
  to: ViewPoint;
}

/** Runs of class numbers over the whole picture; `labels` by class number, those that are to be seen. */
export interface ViewMask extends Pick<ClassMask, 'width' | 'height' | 'runs'> {
  labels: Record<number, string>;
}

/** What the editor draws. Boxes, points and lines are in pixels of `size`, which the picture fills. */
export interface View {
  sequence: number;
  size: { width: number; height: number } | null;
  /** A JPEG as a data URL, already scaled down. */
  picture: string | null;
  boxes: ViewBox[];
  points: ViewPoint[];
  lines: ViewLine[];
  mask: ViewMask | null;
  text: string | null;
}

/** A view of nothing but a text. */
export function textView(sequence: number, text: string | null): View {
  return { sequence, size: null, picture: null, boxes: [], points: [], lines: [], mask: null, text };
}

/**
 * The newest message of one preview node. A message costs two assignments; a picture is scaled and encoded only when an editor
 * asks for it, once for all editors, and no more often than the node's rate.
 */
export class Preview {
  /** Pictures encoded so far. */
  encoded = 0;
  private readonly instance = randomUUID().slice(0, 8);
  private sequence = 0;
  private message: Record<string, unknown> | undefined;
  private shown: { tag: string; view: Promise<View>; since: number } | undefined;

  constructor(
    private readonly width: number,
    private readonly framesPerSecond: number,
  ) {}

  put(message: Record<string, unknown>): void {
    this.message = message;
    this.sequence += 1;
  }

  /** Names the present view for an ETag; a picture within the rate keeps the name of the last one. */
  tag(now = performance.now()): string {
    if (this.shown && now - this.shown.since < 1000 / this.framesPerSecond) return this.shown.tag;
    return `${this.instance}-${this.sequence}`;
  }

  /** @throws what the picture's bytes give: EDGE_IMAGE_TRUNCATED, EDGE_FRAME_GONE, EDGE_SHARP_MISSING, ... */
  view(now = performance.now()): Promise<View> {
    const tag = this.tag(now);
    if (this.shown?.tag !== tag) this.shown = { tag, view: this.make(this.message ?? {}, this.sequence), since: now };
    return this.shown.view;
  }

  private async make(message: Record<string, unknown>, sequence: number): Promise<View> {
    const { payload } = message;
    const drawn = { boxes: boxesOf(payload), ...jointsOf(payload), mask: maskOf(payload) };
    const image = imageSize(payload);
    const source = pictureOf(message) ?? (typeof payload === 'string' && payload.startsWith('data:image/') ? payload : undefined);
    if (source === undefined) return { ...textView(sequence, textOf(payload)), size: image, ...drawn };
    const jpeg = await toJpeg(await toFrame(source), { width: this.width, quality: 75 });
    this.encoded += 1;
    return {
      sequence,
      size: image ?? jpegSize(jpeg),
      picture: `data:image/jpeg;base64,${jpeg.toString('base64')}`,
      ...drawn,
      text: source === payload ? null : textOf(payload),
    };
  }
}

function jpegSize(jpeg: Buffer): View['size'] {
  const header = readImageHeader(jpeg);
  if (!header || header.width === 0) return null;
  const { width, height, orientation } = header;
  return turnsSides(orientation) ? { width: height, height: width } : { width, height };
}

function imageSize(payload: unknown): View['size'] {
  const image = property(payload, 'image');
  const width = property(image, 'width');
  const height = property(image, 'height');
  return isPositive(width) && isPositive(height) ? { width, height } : null;
}

function boxesOf(payload: unknown): ViewBox[] {
  const detections = property(payload, 'detections');
  if (!Array.isArray(detections)) return [];
  const boxes: ViewBox[] = [];
  for (const detection of detections as Partial<Detection>[]) {
    const { x, y, width, height } = (detection?.box ?? {}) as Record<string, unknown>;
    if (![x, y, width, height].every((value) => typeof value === 'number' && Number.isFinite(value))) continue;
    const { label, score } = detection;
    boxes.push({
      label: typeof label === 'string' ? label.slice(0, MOST_LETTERS) : '',
      score: typeof score === 'number' ? score : 0,
      ...({ x, y, width, height } as { x: number; y: number; width: number; height: number }),
    });
    if (boxes.length === MOST_BOXES) break;
  }
  return boxes;
}

/** The keypoints that were seen, and the limbs between two of them. */
function jointsOf(payload: unknown): Pick<View, 'points' | 'lines'> {
  const points: ViewPoint[] = [];
  const lines: ViewLine[] = [];
  const detections = property(payload, 'detections');
  const skeleton = property(payload, 'skeleton');
  for (const detection of Array.isArray(detections) ? detections : []) {
    const keypoints = property(detection, 'keypoints');
    if (!Array.isArray(keypoints) || points.length + keypoints.length > MOST_POINTS) continue;
    const seen = keypoints.map(pointOf);
    for (const point of seen) if (point) points.push(point);
    for (const limb of Array.isArray(skeleton) ? skeleton.slice(0, MOST_POINTS) : []) {
      if (lines.length === MOST_POINTS) break;
      const [from, to] = Array.isArray(limb) ? [seen[limb[0]], seen[limb[1]]] : [];
      if (from && to) lines.push({ from, to });
    }
  }
  return { points, lines };
}

function pointOf(keypoint: unknown): ViewPoint | undefined {
  const [x, y, score] = ['x', 'y', 'score'].map((name) => property(keypoint, name));
  if (typeof x !== 'number' || typeof y !== 'number' || !Number.isFinite(x) || !Number.isFinite(y)) return undefined;
  return typeof score === 'number' && score < SEEN ? undefined : { x, y };
}

/** A segmentation's mask, where it is whole: the editor draws it cell by cell. */
function maskOf(payload: unknown): ViewMask | null {
  const mask = property(payload, 'mask');
  const [width, height, runs] = ['width', 'height', 'runs'].map((name) => property(mask, name));
  if (!isSide(width) || !isSide(height) || !Array.isArray(runs) || runs.length > 2 * MOST_RUNS) return null;
  if (!runs.every((value) => Number.isInteger(value) && value >= 0)) return null;
  const labels: Record<number, string> = {};
  const classes = property(payload, 'classes');
  for (const entry of Array.isArray(classes) ? classes : []) {
    const [index, label] = [property(entry, 'class'), property(entry, 'label')];
    if (isSide(index) || index === 0) labels[index] = typeof label === 'string' ? label.slice(0, MOST_LETTERS) : '';
  }
  return { width, height, runs, labels };
}

function isSide(value: unknown): value is number {
  return isPositive(value) && Number.isInteger(value) && value <= 2048;
}

/**
 * A value in a few words: a number as it is, the best classes or the largest areas, how long a vector is, or an object's first
 * plain fields. Detections speak by boxes.
 */
function textOf(payload: unknown): string | null {
  if (payload === undefined || payload === null) return null;
  if (typeof payload !== 'object') return shorten(String(payload));
  const classes = property(payload, 'classes');
  if (Array.isArray(classes)) return shorten(classes.slice(0, 3).map(scored).join('  '));
  const vector = property(payload, 'vector');
  if (Array.isArray(vector)) return shorten(`[${vector.slice(0, 4).map(plain).join(', ')}, …] ${vector.length}`);
  if (Array.isArray(property(payload, 'detections')) || ArrayBuffer.isView(payload)) return null;
  if (Array.isArray(payload)) return shorten(payload.slice(0, 12).map(plain).join(', '));
  const fields = Object.entries(payload).filter(
    ([name, value]) => name !== 'schema' && name !== 'model' && typeof value !== 'object',
  );
  return fields.length > 0
    ? shorten(
        fields
          .slice(0, 5)
          .map(([name, value]) => `${name} ${plain(value)}`)
          .join('  '),
      )
    : null;
}

function scored(entry: unknown): string {
  const share = property(entry, 'share');
  const value = typeof share === 'number' ? `${(share * 100).toFixed(1)}%` : plain(property(entry, 'score'));
  return `${plain(property(entry, 'label'))} ${value}`;
}

function plain(value: unknown): string {
  if (typeof value === 'number') return String(Number(value.toPrecision(4)));
  return typeof value === 'object' && value !== null ? '…' : String(value);
}

function shorten(text: string): string {
  return text.length > MOST_LETTERS ? `${text.slice(0, MOST_LETTERS - 1)}…` : text;
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function isPositive(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0;
}
