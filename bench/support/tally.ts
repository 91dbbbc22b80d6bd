/** What arrived: the frame's number, when it was sent, milliseconds until it arrived, and which model it met. */
export type Arrival = [index: number, sentAt: number, latency: number, model: string];

export interface Tally {
  sent: number;
  /** Since the last time this was asked. */
  arrivals: Arrival[];
  twice: number;
  /** Messages that the node under test said to be done with, and those it failed. */
  completed: number;
  errors: string[];
  /** As the status of the node under test says. */
  dropped: number;
  handles: number;
  memory: NodeJS.MemoryUsage;
  now: number;
}
