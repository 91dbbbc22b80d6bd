import { Drawing, type View } from './drawing.editor';

/** A preview node as the workspace knows it. */
export interface PreviewNode {
  id: string;
  type: string;
  h: number;
  active: boolean;
  width: string | number;
  rate: string | number;
}

type ViewEvent = { node: PreviewNode; el: SVGGElement };
interface Editor {
  hooks: { add(name: string, run: (event: ViewEvent) => void): void; remove(name: string): void };
  events: { on(name: string, run: () => void): void; off(name: string, run: () => void): void };
}

/** Where the picture begins under the node: below its status. */
const GAP = 20;
const WIDTH = 320;
/** While a node is not deployed or the runtime is away. */
const PATIENCE_MS = 3000;

/** The previews on the shown workspace, by node id. A node that is not drawn has none, and costs nothing. */
const shown = new Map<string, ShownPreview>();

/**
 * Follow the editor's own view of the workspace: it adds a node's element when its flow is shown, redraws it when it moves,
 * and removes it with the flow, the node or an undo. A picture lives exactly as long as its node's element.
 */
export function watchWorkspace(): void {
  // Node-RED says "added" again when a disabled palette is enabled.
  leaveWorkspace();
  const { hooks, events } = RED as unknown as Editor;
  hooks.add('viewAddNode.edge-preview', ({ node, el }) => {
    if (node.type !== 'edge-preview') return;
    shown.get(node.id)?.stop();
    shown.set(node.id, new ShownPreview(node, el));
  });
  hooks.add('viewRedrawNode.edge-preview', ({ node }) => shown.get(node.id)?.redraw());
  hooks.add('viewRemoveNode.edge-preview', ({ node }) => forget(node.id));
  events.on('deploy', askAgain);
  document.addEventListener('visibilitychange', askAgain);
}

/** The palette was taken out of the editor. */
export function leaveWorkspace(): void {
  const { hooks, events } = RED as unknown as Editor;
  hooks.remove('*.edge-preview');
  events.off('deploy', askAgain);
  document.removeEventListener('visibilitychange', askAgain);
  for (const id of [...shown.keys()]) forget(id);
}

function askAgain(): void {
  for (const preview of shown.values()) preview.askNow();
}

function forget(id: string): void {
  shown.get(id)?.stop();
  shown.delete(id);
}

/** One node on the shown workspace: asks for its picture as long as somebody can see it. */
class ShownPreview {
  private readonly drawing = new Drawing();
  private timer: number | undefined;
  private request: JQuery.jqXHR | undefined;
  private tag = '';
  private view: View | undefined;
  private drawn = '';

  constructor(
    private readonly node: PreviewNode,
    element: SVGGElement,
  ) {
    element.append(this.drawing.group);
    this.redraw();
    this.askNow();
  }

  /** Called at every redraw of the workspace, so it compares before it touches anything. */
  redraw(): void {
    const { node } = this;
    const state = `${node.h} ${node.active} ${node.width} ${this.view?.sequence} ${this.tag}`;
    if (state === this.drawn) return;
    const opened = node.active && this.drawn.split(' ')[1] === 'false';
    this.drawn = state;
    this.drawing.group.setAttribute('transform', `translate(0,${node.h + GAP})`);
    if (!node.active || !this.view) this.drawing.clear();
    else this.drawing.show(this.view, widthOf(node));
    if (opened) this.askNow();
  }

  askNow(): void {
    window.clearTimeout(this.timer);
    if (document.visibilityState !== 'visible' || !this.node.active || this.request) return;
    const request = $.ajax({
      url: `edgeloom/preview/${encodeURIComponent(this.node.id)}`,
      dataType: 'json',
      headers: this.tag ? { 'If-None-Match': this.tag } : {},
      timeout: 15_000,
    });
    this.request = request;
    request.then(
      (view: View | undefined) => this.answered(request.status, view, request.getResponseHeader('ETag') ?? ''),
      () => this.answered(request.status),
    );
  }

  stop(): void {
    window.clearTimeout(this.timer);
    this.timer = undefined;
    const { request } = this;
    this.request = undefined;
    request?.abort();
    this.drawing.group.remove();
  }

  /** 200 with a view; 304 where it is still the same; 204 where the node is not deployed; anything else is a runtime away. */
  private answered(status: number, view?: View, tag = ''): void {
    // Stopped while it was on its way.
    if (!this.request) return;
    this.request = undefined;
    if (view || status === 204) {
      this.view = view;
      this.tag = tag;
      this.redraw();
    }
    this.askIn(status === 200 || status === 304 ? 1000 / rateOf(this.node) : PATIENCE_MS);
  }

  private askIn(milliseconds: number): void {
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.askNow(), milliseconds);
  }
}

function widthOf(node: PreviewNode): number {
  return within(Number(node.width), 40, 1920, WIDTH);
}

function rateOf(node: PreviewNode): number {
  return within(Number(node.rate), 0.1, 25, 2);
}

/** A wrong or empty setting, and an environment variable that only the runtime knows, give the default. */
function within(value: number, least: number, most: number, fallback: number): number {
  return value >= least && value <= most ? value : fallback;
}
