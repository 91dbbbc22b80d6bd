/** How long something must last before it is believed. */
export interface Inertia {
  frames: number;
  milliseconds: number;
}

/** A yes or no that follows its input only when the input has been another for long enough. */
export class Switch {
  /** When the present state began: the time of the first of the inputs that made it. */
  since = 0;
  private frames = 0;
  private began = 0;

  constructor(public on = false) {}

  /** @returns true when the state has changed. */
  feed(input: boolean, now: number, inertia: Inertia): boolean {
    if (input === this.on) {
      this.frames = 0;
      return false;
    }
    if (this.frames === 0) this.began = now;
    this.frames += 1;
    if (this.frames < inertia.frames || now - this.began < inertia.milliseconds) return false;
    this.on = input;
    this.since = this.began;
    this.frames = 0;
    return true;
  }
}
