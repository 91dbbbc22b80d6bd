import type { ErrorCode } from '../errors';

/** Under which codes it is told that something could not be fetched: the same way brings models and programs. */
export interface FetchCodes {
  /** The server, the network or what came is at fault. */
  failed: ErrorCode;
  /** What came is not what was asked for, by its hash. */
  differs: ErrorCode;
  /** It is not there. */
  absent: ErrorCode;
}

export const MODEL_CODES: FetchCodes = {
  failed: 'EDGE_MODEL_DOWNLOAD',
  differs: 'EDGE_MODEL_HASH',
  absent: 'EDGE_MODEL_NOT_FOUND',
};
