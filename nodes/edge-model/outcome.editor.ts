import { notice, type Translate } from './facts.editor';

interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** What the route `model/try` answers. */
export interface Outcome {
  result: {
    detections?: { label: string; score: number; box: Box }[];
    classes?: { label: string; score: number }[];
    tensors?: Record<string, { shape: number[]; type: string }>;
  };
  timings: { prepare: number; queue: number; run: number; decode: number };
  session: { placement: string; threads: number; backend: string; engineVersion: string; notes?: string[] };
  warnings: string[];
  /** The packaged picture as a data URL, where none was sent. */
  sample?: string;
}

const PALETTE = ['#00b8d4', '#ff9100', '#76ff03', '#ff4081', '#ffea00', '#b388ff', '#1de9b6', '#ff6e40'];

/** The picture with its boxes, then what was found and how long it took. */
export async function showOutcome(place: HTMLElement, outcome: Outcome, picture: string, t: Translate): Promise<void> {
  const { detections, classes, tensors } = outcome.result;
  const image = new Image();
  image.src = picture;
  await image.decode();
  const canvas = document.createElement('canvas');
  canvas.className = 'edge-picture';
  drawBoxes(canvas, image, detections ?? []);
  const said = detections
    ? countByLabel(detections.map(({ label }) => label)) || t('edge-model.outcome.nothing')
    : classes
      ? classes.map(({ label, score }) => `${label} ${(score * 100).toFixed(0)}%`).join(', ')
      : Object.entries(tensors ?? {})
          .map(([name, { type, shape }]) => `${name}: ${type} [${shape.join(', ')}]`)
          .join('; ');
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
function drawBoxes(canvas: HTMLCanvasElement, image: HTMLImageElement, detections: NonNullable<Outcome['result']['detections']>) {
  const { naturalWidth: width, naturalHeight: height } = image;
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext('2d');
  if (!context) return;
  context.drawImage(image, 0, 0);
  const unit = Math.max(width, height) / 400;
  context.lineWidth = 2 * unit;
  context.font = `${Math.round(12 * unit)}px sans-serif`;
  context.textBaseline = 'top';
  const labels = [...new Set(detections.map(({ label }) => label))];
  // The best last, on top.
  for (const { label, score, box } of [...detections].reverse()) {
    const colour = PALETTE[labels.indexOf(label) % PALETTE.length]!;
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
}

function countByLabel(labels: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  return [...counts].map(([label, count]) => `${count} × ${label}`).join(', ');
}

function ms(value: number): string {
  return value.toFixed(value < 10 ? 1 : 0);
}
