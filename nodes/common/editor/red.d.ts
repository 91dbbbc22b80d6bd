import type { EditorRED } from 'node-red';

declare global {
  /** The editor's own object, in every page of it. */
  const RED: EditorRED;
}
