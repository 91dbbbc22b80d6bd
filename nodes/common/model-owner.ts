import { homedir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { NodeAPI } from 'node-red';
import { asEdgeError, EdgeError } from '../../core/errors';
import { type Manifest, ModelStore, type PartialManifest, resolveModel, type Task, type TaskOptions } from '../../core/task';
import { type ChosenModel, LiveModel } from '../../core/task/live-model';
import { Retry } from './retry';

export interface ModelSettings {
  /** A source string of core/model; empty for the packaged detector. */
  source: string;
  /** What the dialog says beside what the model says of itself. */
  manifest: PartialManifest;
  /** For every user of the model; a user's own options win. */
  options: TaskOptions;
}

export type ModelState =
  | { phase: 'loading'; bytes?: number; total?: number }
  | { phase: 'ready'; medianMs?: number }
  /** There is no model to run. */
  | { phase: 'error'; error: EdgeError }
  /** Another model could not take over: the one before it goes on. */
  | { phase: 'kept'; error: EdgeError };

export type ModelEvent = 'model loaded' | 'model swapped' | 'model kept';

/** What an `edge-model` node gives to the nodes that use it. */
export interface ModelProvider {
  /** A task for one user, who closes it. Tasks on equal options share one session, which ends with the last of them. */
  task(options?: TaskOptions): Promise<Task>;
  manifest(): Promise<Manifest>;
  /**
   * Look at the model's source again, and let every user go over to what is there now.
   * @throws what finding, opening or checking it throws; the users then stay with the model they have.
   */
  reload(): Promise<void>;
  /** Hear of loading, ready and errors, the present state at once; gives the function that ends it. */
  onState(listener: (state: ModelState) => void): () => void;
}

/** One model, found once and opened for as many users as ask, which can be exchanged under them; it outlives its node's redeploy. */
export class ModelOwner implements ModelProvider {
  private readonly live: LiveModel;
  private readonly listeners = new Set<(state: ModelState) => void>();
  private readonly retry = new Retry();
  private state: ModelState | undefined;
  /** What was found last, and when: a download before that is no part of loading it. */
  private found: { manifest: Manifest; at: number } | undefined;
  private closed = false;

  constructor(
    /** Asked when the model is first needed, so that a wrong setting is told to the nodes that use the model. */
    private settings: () => ModelSettings,
    private readonly folder: string,
    /** Told in a line what happened to the model, for the log. */
    private readonly log: (event: ModelEvent, what: string) => void = () => {},
  ) {
    this.live = new LiveModel((signal) => this.find(settings, signal));
  }

  async task(options: TaskOptions = {}): Promise<Task> {
    try {
      if (this.state?.phase !== 'ready' && this.state?.phase !== 'kept') this.tell({ phase: 'loading' });
      const asked = performance.now();
      const task = await this.live.task(options);
      const { placement, backend, engineVersion } = task.info.session;
      this.log('model loaded', `${this.since(asked)}, placement ${placement}, ${backend} ${engineVersion}`);
      if (this.state?.phase !== 'kept') this.tellReady(task);
      return task;
    } catch (thrown) {
      const error = asEdgeError(thrown, 'EDGE_RUNTIME_FAILED');
      if (!this.live.used) this.tell({ phase: 'error', error });
      throw error;
    }
  }

  manifest(): Promise<Manifest> {
    return this.live.manifest();
  }

  /** Other settings; nothing happens where they say the same. What fails is told to the users, and tried again where that may help. */
  use(settings: () => ModelSettings): void {
    if (sameSettings(settings, this.settings)) return;
    this.settings = settings;
    this.retry.stop();
    this.changeNow();
  }

  async reload(): Promise<void> {
    this.retry.stop();
    await this.change();
  }

  onState(listener: (state: ModelState) => void): () => void {
    this.listeners.add(listener);
    if (this.state) listener(this.state);
    return () => this.listeners.delete(listener);
  }

  /** The model leaves the flows: no more tasks; those that were given live until their users close them. */
  retire(): void {
    this.closed = true;
    this.retry.stop();
    this.listeners.clear();
    this.live.retire();
  }

  /** Ends a download under way and every task that a user forgot. */
  async close(): Promise<void> {
    this.retire();
    await this.live.close();
  }

  private changeNow(): void {
    // It was told to the users.
    this.change().catch(() => {});
  }

  private async change(): Promise<void> {
    if (this.closed) throw new EdgeError('EDGE_SESSION_CLOSED');
    const { settings } = this;
    const used = this.live.used;
    if (!used) this.state = undefined;
    const asked = performance.now();
    try {
      const changed = await this.live.change((signal) => this.find(settings, signal));
      if (settings !== this.settings) return;
      this.retry.stop();
      if (!used) return;
      if (changed) this.log('model swapped', this.since(asked));
      this.tell({ phase: 'ready' });
    } catch (thrown) {
      const error = asEdgeError(thrown, 'EDGE_RUNTIME_FAILED');
      if (this.closed || settings !== this.settings) return;
      this.log('model kept', error.message);
      this.tell({ phase: 'kept', error });
      this.retry.after(error, () => this.changeNow());
      throw error;
    }
  }

  private async find(settings: () => ModelSettings, signal: AbortSignal): Promise<ChosenModel> {
    const { source, manifest, options } = settings();
    const model = await resolveModel(source, {
      store: new ModelStore(this.folder),
      manifest,
      signal,
      onProgress: (bytes, total) => {
        // Where a model runs its users show its figures, not what may take its place.
        if (!this.live.used) this.tell({ phase: 'loading', bytes, ...(total === undefined ? {} : { total }) });
      },
    });
    this.found = { manifest: model.manifest, at: performance.now() };
    return { model, options };
  }

  /** Which model it is and how long it took, "people 2.0 in 612 ms". */
  private since(asked: number): string {
    const { manifest, at } = this.found!;
    return `${manifest.id} ${manifest.version} in ${(performance.now() - Math.max(asked, at)).toFixed(0)} ms`;
  }

  private tellReady(task: Task): void {
    const { medianMs } = task.info.session;
    this.tell({ phase: 'ready', ...(medianMs === undefined ? {} : { medianMs }) });
  }

  private tell(state: ModelState): void {
    if (this.closed) return;
    this.state = state;
    for (const listener of this.listeners) listener(state);
  }
}

/** Settings that are wrong are never the same: their error is to be told. */
function sameSettings(a: () => ModelSettings, b: () => ModelSettings): boolean {
  try {
    return isDeepStrictEqual(a(), b());
  } catch {
    return false;
  }
}

/** For nodes where nobody chose: the packaged detector. */
export const NO_SETTINGS: ModelSettings = { source: '', manifest: {}, options: {} };

/** Where models and what is made from them are kept. */
export function storeFolder(RED: Pick<NodeAPI, 'settings'>): string {
  return join(RED.settings.userDir ?? join(homedir(), '.node-red'), 'edgeloom');
}
