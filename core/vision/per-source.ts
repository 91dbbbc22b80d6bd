/** Most sources that one node keeps apart; of more, the one not heard of for longest is forgotten. */
export const MOST_SOURCES = 64;

/** Something with a memory for each source, made at the source's first message. */
export class PerSource<T> {
  /** Sources that were forgotten for others. */
  evicted = 0;
  private readonly items = new Map<string, T>();

  constructor(
    private readonly make: () => T,
    private readonly mostSources = MOST_SOURCES,
  ) {}

  /** The source not heard of for longest first. */
  get sources(): string[] {
    return [...this.items.keys()];
  }

  /** What belongs to a source, which thereby becomes the one heard of last. */
  of(source: string): T {
    const item = this.items.get(source) ?? this.make();
    // A Map keeps the order of insertion: what is taken out and put back is last.
    this.items.delete(source);
    this.items.set(source, item);
    if (this.items.size > this.mostSources) {
      this.items.delete(this.items.keys().next().value!);
      this.evicted += 1;
    }
    return item;
  }

  values(): IterableIterator<T> {
    return this.items.values();
  }

  clear(): void {
    this.items.clear();
  }
}
