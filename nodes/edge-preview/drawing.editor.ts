import { colourOf, type Mask, maskUrl } from '../common/editor/overlay';

interface Point {
  x: number;
  y: number;
}

/** What GET edgeloom/preview/:id answers. */
export interface View {
  sequence: number;
  size: { width: number; height: number } | null;
  picture: string | null;
  boxes: { label: string; score: number; x: number; y: number; width: number; height: number }[];
  points: Point[];
  lines: { from: Point; to: Point }[];
  mask: (Mask & { labels: Record<number, string> }) | null;
  text: string | null;
}

const SVG = 'http://www.w3.org/2000/svg';
const TEXT_HEIGHT = 22;
const STYLE_ID = 'edge-preview-style';

/**
 * The picture under one node: an SVG group inside the node's own group, so that moving, zooming and removing the node need no
 * code. Whatever comes from a message is set as text or a number, never as markup.
 */
export class Drawing {
  readonly group = element('g', { class: 'edge-preview-view' });

  constructor() {
    useStyle();
  }

  /** Draw a view `width` pixels wide and give the height it takes. */
  show(view: View, width: number): void {
    const parts: SVGElement[] = [];
    let height = 0;
    if (view.size) {
      height = Math.min(width * 3, Math.max(20, Math.round((width * view.size.height) / view.size.width)));
      parts.push(element('rect', { class: 'edge-preview-back', width, height }));
      if (view.picture?.startsWith('data:image/jpeg;base64,')) {
        parts.push(element('image', { href: view.picture, width, height, preserveAspectRatio: 'none' }));
      }
      const mask = view.mask && maskUrl(view.mask, view.mask.labels);
      if (mask)
        parts.push(element('image', { class: 'edge-preview-mask', href: mask, width, height, preserveAspectRatio: 'none' }));
      parts.push(boxes(view, width, height));
      if (view.points.length > 0) parts.push(joints(view, width, height));
    }
    if (view.text) {
      parts.push(element('rect', { class: 'edge-preview-back', y: height, width, height: TEXT_HEIGHT }));
      const line = element('text', { class: 'edge-preview-text', x: 8, y: height + 15 });
      line.textContent = fitted(view.text, width - 16, 7);
      parts.push(line);
      height += TEXT_HEIGHT;
    }
    if (height > 0) parts.push(element('rect', { class: 'edge-preview-frame', width, height, rx: 2 }));
    this.group.replaceChildren(...parts);
  }

  clear(): void {
    this.group.replaceChildren();
  }
}

function boxes(view: View, width: number, height: number): SVGElement {
  const all = element('svg', { width, height, overflow: 'hidden' });
  const scaleX = width / view.size!.width;
  const scaleY = height / view.size!.height;
  for (const box of view.boxes) {
    const colour = colourOf(box.label);
    const left = box.x * scaleX;
    const top = box.y * scaleY;
    const wide = Math.max(1, box.width * scaleX);
    all.append(
      element('rect', {
        class: 'edge-preview-box',
        x: left,
        y: top,
        width: wide,
        height: Math.max(1, box.height * scaleY),
        stroke: colour,
      }),
    );
    const words = fitted(`${box.label} ${Math.round(box.score * 100)}%`, Math.max(60, wide), 6);
    // Above the box, or inside it at the upper edge of the picture.
    const y = top >= 13 ? top - 13 : Math.max(0, top);
    const x = Math.min(Math.max(0, left), Math.max(0, width - words.length * 6 - 6));
    const label = element('text', { class: 'edge-preview-label', x: x + 3, y: y + 10 });
    label.textContent = words;
    all.append(element('rect', { x, y, width: words.length * 6 + 6, height: 13, fill: colour }), label);
  }
  return all;
}

/** Limbs, then joints on top of them. */
function joints(view: View, width: number, height: number): SVGElement {
  const all = element('svg', { width, height, overflow: 'hidden' });
  const scaleX = width / view.size!.width;
  const scaleY = height / view.size!.height;
  for (const { from, to } of view.lines) {
    const [x1, y1, x2, y2] = [from.x * scaleX, from.y * scaleY, to.x * scaleX, to.y * scaleY];
    all.append(element('line', { class: 'edge-preview-limb', x1, y1, x2, y2 }));
  }
  for (const { x, y } of view.points) {
    all.append(element('circle', { class: 'edge-preview-joint', cx: x * scaleX, cy: y * scaleY, r: 2.5 }));
  }
  return all;
}

/** `text` cut to what `width` pixels hold, at `letter` pixels a letter. */
function fitted(text: string, width: number, letter: number): string {
  const most = Math.max(3, Math.floor(width / letter));
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

function element(name: string, attributes: Record<string, string | number>): SVGElement {
  const made = document.createElementNS(SVG, name) as SVGElement;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

function useStyle(): void {
  if (document.getElementById(STYLE_ID)) return;
  const style = document.createElement('style');
  style.id = STYLE_ID;
  style.textContent = `
.edge-preview-view { pointer-events: none; }
.edge-preview-back { fill: var(--red-ui-secondary-background); }
.edge-preview-frame { fill: none; stroke: var(--red-ui-node-border, var(--red-ui-primary-border-color)); }
.edge-preview-view text { stroke: none; font-family: var(--red-ui-monospace-font); }
.edge-preview-view .edge-preview-text { fill: var(--red-ui-primary-text-color); font-size: 12px; }
.edge-preview-box { fill: none; stroke-width: 2; }
.edge-preview-mask { image-rendering: pixelated; }
.edge-preview-limb { stroke: #fff; stroke-width: 2; stroke-linecap: round; paint-order: stroke; filter: drop-shadow(0 0 1px #000); }
.edge-preview-joint { fill: #ff4081; stroke: #fff; stroke-width: 0.75; }
.edge-preview-view .edge-preview-label { fill: #111; font-size: 10px; }
`;
  document.head.append(style);
}
