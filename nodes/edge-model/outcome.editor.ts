import { colourOf, type Mask, maskCanvas } from '../common/editor/overlay';
import { notice, type Translate } from './facts.editor';

interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

interface Keypoint {
  x: number;
  y: number;
  score?: number;
}

interface Found {
  label: string;
  score: number;
  box: Box;
  keypoints?: Keypoint[];
}

interface Result {
  image?: { width: number; height: number };
  detections?: Found[];
  skeleton?: [number, number][];
  classes?: { label: string; score?: number; share?: number; class?: number }[];
  mask?: Mask;
  vector?: number[];
  tensors?: Record<string, { shape: number[]; type: string }>;
}

/** What the route `model/try` answers. */
export interface Outcome {
  result: Result;
  timings: { prepare: number; queue: number; run: number; decode: number };
  session: { placement: string; threads: number; backend: string; engineVersion: string; notes?: string[] };
  warnings: string[];
  /** The packaged picture as a data URL, where none was sent. */
  sample?: string;
}

/** A joint that the model is not surer of than this is not drawn. */
const SEEN = 0.2;

/** The picture with its boxes, limbs or areas, then what was found and how long it took. */
export async function showOutcome(place: HTMLElement, outcome: Outcome, picture: string, t: Translate): Promise<void> {
  const image = new Image();
  image.src = picture;
  await image.decode();
  const canvas = document.createElement('canvas');
  canvas.className = 'edge-picture';
  draw(canvas, image, outcome.result);
  const said = inWords(outcome.result, t);
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', said);
  const caption = document.createElement('div');
  caption.className = 'edge-hint edge-outcome';
  const { prepare, run, decode } = outcome.timings;
  const { placement, threads, backend, engineVersion } = outcome.session;
  const figures = { prepare: ms(prepare), run: ms(run), decode: ms(decode), placement: t(`edge-model.place.${placement}`) };
  const found = document.createElement('strong');
  found.textContent = said;
  caption.append(
    found,
    document.createElement('br'),
    t('edge-model.outcome.timings', { ...figures, threads, backend, version: engineVersion }),
  );
  const notes = (outcome.session.notes ?? []).filter((note) => !outcome.warnings.includes(note));
  for (const note of notes) caption.append(document.createElement('br'), note);
  place.replaceChildren(canvas, caption, ...outcome.warnings.map((warning) => notice(warning)));
}

/** Line and letters are drawn in the picture's own pixels, so they grow with it. */
function draw(canvas: HTMLCanvasElement, image: HTMLImageElement, result: Result): void {
  const { naturalWidth: width, naturalHeight: height } = image;
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext('2d');
  if (!context) return;
  context.drawImage(image, 0, 0);
  const unit = Math.max(width, height) / 400;
  drawMask(context, result, width, height);
  // The best last, on top.
  for (const found of [...(result.detections ?? [])].reverse()) {
    drawBox(context, found, unit, width);
    drawJoints(context, found.keypoints ?? [], result.skeleton ?? [], unit);
  }
}

function drawMask(context: CanvasRenderingContext2D, { mask, classes = [] }: Result, width: number, height: number): void {
  const labels = Object.fromEntries(classes.map(({ class: index, label }) => [index ?? -1, label]));
  const overlay = mask && maskCanvas(mask, labels);
  if (!overlay) return;
  context.imageSmoothingEnabled = false;
  context.drawImage(overlay, 0, 0, width, height);
}

function drawBox(context: CanvasRenderingContext2D, { label, score, box }: Found, unit: number, width: number): void {
  context.lineWidth = 2 * unit;
  context.font = `${Math.round(12 * unit)}px sans-serif`;
  context.textBaseline = 'top';
  const colour = colourOf(label);
  const text = `${label} ${(score * 100).toFixed(0)}%`;
  const lettering = { width: context.measureText(text).width + 6 * unit, height: 16 * unit };
  const top = Math.max(0, box.y - lettering.height);
  const left = Math.max(0, Math.min(box.x - unit, width - lettering.width));
  context.strokeStyle = colour;
  context.strokeRect(box.x, box.y, box.width, box.height);
  context.fillStyle = colour;
  context.fillRect(left, top, lettering.width, lettering.height);
  context.fillStyle = '#000';
  context.fillText(text, left + 3 * unit, top + 2 * unit);
}

function drawJoints(
  context: CanvasRenderingContext2D,
  keypoints: readonly Keypoint[],
  skeleton: readonly [number, number][],
  unit: number,
): void {
  const isSeen = (point: Keypoint | undefined): point is Keypoint => point !== undefined && (point.score ?? 1) >= SEEN;
  context.lineWidth = 1.5 * unit;
  context.strokeStyle = '#fff';
  for (const [from, to] of skeleton) {
    const [start, end] = [keypoints[from], keypoints[to]];
    if (!isSeen(start) || !isSeen(end)) continue;
    context.beginPath();
    context.moveTo(start.x, start.y);
    context.lineTo(end.x, end.y);
    context.stroke();
  }
  context.fillStyle = '#ff4081';
  for (const { x, y } of keypoints.filter(isSeen)) {
    context.beginPath();
    context.arc(x, y, 2 * unit, 0, 2 * Math.PI);
    context.fill();
  }
}

function inWords({ detections, classes, mask, vector, tensors }: Result, t: Translate): string {
  const nothing = t('edge-model.outcome.nothing');
  if (detections) return countByLabel(detections.map(({ label }) => label)) || nothing;
  if (vector) return t('edge-model.outcome.vector', { count: vector.length });
  if (classes) {
    const parts = classes.map(({ label, score, share }) => `${label} ${((score ?? share ?? 0) * 100).toFixed(mask ? 1 : 0)}%`);
    return parts.join(', ') || nothing;
  }
  const shapes = Object.entries(tensors ?? {}).map(([name, { type, shape }]) => `${name}: ${type} [${shape.join(', ')}]`);
  return shapes.join('; ');
}

function countByLabel(labels: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  return [...counts].map(([label, count]) => `${count} × ${label}`).join(', ');
}

function ms(value: number): string {
  return value.toFixed(value < 10 ? 1 : 0);
}
