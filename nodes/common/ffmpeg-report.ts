/** What the dialog is told. */
export interface FfmpegReport {
  /** The program that is used; null when there is none, and `error` says so with the command for this system. */
  used: { path: string; version: string; ours: boolean } | null;
  error: { code: string; message: string } | null;
  /** What could be installed from the dialog; null where there is no build for this machine. */
  offer: { package: string; built: string; commit: string; download: number; licence: string } | null;
  /** Whether one lies in the user directory, used or not. */
  installed: boolean;
  /** Bytes of the program so far, and when all are there. */
  installing: { bytes: number; total: number } | null;
}
