import { homedir } from 'node:os';
import { join } from 'node:path';
import type { NodeAPI } from 'node-red';
import { asEdgeError, EdgeError } from '../../core/errors';
import {
  type Manifest,
  ModelStore,
  openTask,
  type PartialManifest,
  type ResolvedModel,
  resolveModel,
  type Task,
  type TaskOptions,
} from '../../core/task';

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
  | { phase: 'error'; error: EdgeError };

/** What an `edge-model` node gives to the nodes that use it. */
export interface ModelProvider {
  /** A task for one user, who closes it. Tasks on equal options share one session, which ends with the last of them. */
  task(options?: TaskOptions): Promise<Task>;
  manifest(): Promise<Manifest>;
  /** Hear of loading, ready and errors, the present state at once; gives the function that ends it. */
  onState(listener: (state: ModelState) => void): () => void;
}

interface Resolved {
  model: ResolvedModel;
  common: TaskOptions;
}

/** One model, found once and opened for as many users as ask; what failed is tried anew by the next who asks. */
export class ModelOwner implements ModelProvider {
  private resolving: Promise<Resolved> | undefined;
  private readonly tasks = new Set<Task>();
  private readonly listeners = new Set<(state: ModelState) => void>();
  private readonly closing = new AbortController();
  private state: ModelState | undefined;

  constructor(
    /** Asked when the model is first needed, so that a wrong setting is told to the nodes that use the model. */
    private readonly settings: () => ModelSettings,
    private readonly folder: string,
    /** Told in a line what happened to the model, for the log. */
    private readonly log: (event: 'model loaded' | 'model swapped' | 'model kept', what: string) => void = () => {},
  ) {}

  async task(options: TaskOptions = {}): Promise<Task> {
    try {
      if (this.state?.phase !== 'ready') this.tell({ phase: 'loading' });
      const { model, common } = await this.resolve();
      const asked = performance.now();
      const task = await openTask(model, { ...common, ...options });
      const took = performance.now() - asked;
      if (this.closing.signal.aborted) {
        await task.close();
        throw new EdgeError('EDGE_SESSION_CLOSED', model.manifest.id);
      }
      const { medianMs, placement, backend, engineVersion } = task.info.session;
      const { id, version } = model.manifest;
      this.log('model loaded', `${id} ${version} in ${took.toFixed(0)} ms, placement ${placement}, ${backend} ${engineVersion}`);
      this.tell({ phase: 'ready', ...(medianMs === undefined ? {} : { medianMs }) });
      return this.counted(task);
    } catch (thrown) {
      const error = asEdgeError(thrown, 'EDGE_RUNTIME_FAILED');
      this.tell({ phase: 'error', error });
      throw error;
    }
  }

  async manifest(): Promise<Manifest> {
    return (await this.resolve()).model.manifest;
  }

  onState(listener: (state: ModelState) => void): () => void {
    this.listeners.add(listener);
    if (this.state) listener(this.state);
    return () => this.listeners.delete(listener);
  }

  /** Ends a download under way and every task that a user forgot. */
  async close(): Promise<void> {
    this.listeners.clear();
    this.closing.abort();
    await Promise.all([...this.tasks].map((task) => task.close()));
    this.tasks.clear();
  }

  /** Known until its user closes it. */
  private counted(task: Task): Task {
    this.tasks.add(task);
    return {
      info: task.info,
      concurrency: task.concurrency,
      run: (payload, signal) => task.run(payload, signal),
      close: () => {
        this.tasks.delete(task);
        return task.close();
      },
    };
  }

  private resolve(): Promise<Resolved> {
    this.resolving ??= this.find().catch((thrown) => {
      this.resolving = undefined;
      throw thrown;
    });
    return this.resolving;
  }

  private async find(): Promise<Resolved> {
    const { source, manifest, options } = this.settings();
    const model = await resolveModel(source, {
      store: new ModelStore(this.folder),
      manifest,
      signal: this.closing.signal,
      onProgress: (bytes, total) => this.tell({ phase: 'loading', bytes, ...(total === undefined ? {} : { total }) }),
    });
    return { model, common: options };
  }

  private tell(state: ModelState): void {
    if (this.closing.signal.aborted) return;
    this.state = state;
    for (const listener of this.listeners) listener(state);
  }
}

/** For nodes where nobody chose: the packaged detector. */
export const NO_SETTINGS: ModelSettings = { source: '', manifest: {}, options: {} };

/** Where models and what is made from them are kept. */
export function storeFolder(RED: Pick<NodeAPI, 'settings'>): string {
  return join(RED.settings.userDir ?? join(homedir(), '.node-red'), 'edgeloom');
}
