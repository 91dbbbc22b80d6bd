import type { Node } from 'node-red';
import type { EdgeError } from '../../core/errors';
import type { TaskOutcome } from '../../core/task';
import { logEvent } from '../common/log';
import type { ModelState } from '../common/model-owner';
import { Rate } from '../common/rate';
import { reportError, tellError } from '../common/report';
import { status } from '../common/status';
import type { Runner } from './runner';

/** What a runner shows at the node that stands in its place. */
export class Display {
  private readonly rate = new Rate();
  private readonly told = new Set<string>();
  /** Why another model could not take over; absent while the chosen one runs. */
  private kept: EdgeError | undefined;
  private commanded = 0;

  state(node: Node, runner: Runner, state: ModelState): void {
    if (state.phase === 'kept') this.keptModel(node, state.error);
    else if (state.phase === 'ready') {
      this.kept = undefined;
      status(node, 'green', state.medianMs === undefined ? 'edge-infer.status.ready' : milliseconds(state.medianMs));
    }
    // While a model runs, another one that is loaded beside it is of no interest until it takes over or fails to.
    else if (runner.running) return;
    else if (state.phase === 'error') reportError(node, state.error);
    else if (state.bytes === undefined) status(node, 'yellow', 'edge-infer.status.loading');
    else status(node, 'yellow', `${megabytes(state.bytes)}${state.total ? ` / ${megabytes(state.total)}` : ''} MB`);
  }

  /** Do what a message commands. Its failure is told as the message's own, and not a second time. */
  async command(action: () => Promise<void>): Promise<void> {
    this.commanded += 1;
    try {
      await action();
    } finally {
      this.commanded -= 1;
    }
  }

  /** The flow goes on with the model before; the figures say so until another one takes over. */
  keptModel(node: Node, error: EdgeError): void {
    this.kept = error;
    if (this.commanded === 0) tellError(node, error);
    status(node, 'yellow', 'edge-infer.status.kept');
  }

  outcome(node: Node, runner: Runner, { timings }: TaskOutcome): void {
    for (const sentence of runner.warnings) this.warnOnce(node, sentence);
    this.rate.count();
    const { dropped } = runner.stats();
    const lost = dropped > 0 ? ` · ${dropped} dropped` : '';
    const figures = `${milliseconds(timings.run)} · ${this.rate.perSecond().toFixed(1)}/s${lost}`;
    if (this.kept) status(node, 'yellow', `${figures} · ${this.kept.code}`);
    else status(node, 'green', figures);
  }

  private warnOnce(node: Node, sentence: string): void {
    if (this.told.has(sentence)) return;
    this.told.add(sentence);
    logEvent(node, 'note', sentence);
  }
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

function milliseconds(value: number): string {
  return `${value.toFixed(value < 10 ? 1 : 0)} ms`;
}
