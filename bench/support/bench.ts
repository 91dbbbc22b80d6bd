/** One measured figure. `--json` prints an array of these and nothing else. */
export interface Measurement {
  bench: string;
  case: string;
  measure: string;
  value: number;
  unit: string;
  /** What the project wants to reach, in words: ">= 0.95". Absent where a figure is only reported. */
  target?: string;
  machine: string;
}

export interface BenchOptions {
  /** Folder of the data to measure on; each bench has its own default. */
  data?: string;
  labels?: string;
  long: boolean;
  json: boolean;
  /** What stood on the command line beside these. */
  rest: string[];
}

/** What a bench is given: its options, a place for figures (standard output) and one for words (standard error). */
export interface Bench {
  readonly options: BenchOptions;
  record(figure: Omit<Measurement, 'bench' | 'machine'>): void;
  note(text: string): void;
}

export type BenchMain = (bench: Bench) => Promise<void>;
