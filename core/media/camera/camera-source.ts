import type { Frame } from '../../message/frame';

/** One picture of a camera. */
export interface CapturedPicture {
  frame: Frame;
  /** Milliseconds since the epoch at which its last byte was here. */
  capturedAt: number;
  /** Milliseconds from asking to the last byte; of a stream, from the first byte of the picture's chunk. */
  captureMs: number;
}

/** A way to get pictures out of a camera. */
export interface CameraSource {
  readonly kind: 'snapshot' | 'mjpeg' | 'video';
  /** True where the source itself keeps to the rate that was asked for; else its caller waits between two pictures. */
  readonly paced?: boolean;
  /** Most milliseconds to wait until the next try after an error that may pass, where trying costs little. */
  readonly longestWaitMs?: number;
  /**
   * Pictures until `signal` aborts, each the newest at the time it is asked for; older ones are dropped. Ends or throws when the
   * connection is lost (reconnecting is the caller's); everything is released then.
   * @throws EDGE_SOURCE_UNREACHABLE, EDGE_SOURCE_TIMEOUT, EDGE_SOURCE_REFUSED, EDGE_SOURCE_CREDENTIALS, EDGE_SOURCE_CONTENT;
   * of video also EDGE_FFMPEG_MISSING, EDGE_FFMPEG_FAILED, EDGE_DEVICE_NOT_FOUND, EDGE_DEVICE_BUSY, EDGE_DEVICE_PERMISSION, EDGE_FILE_NOT_FOUND
   */
  pictures(signal: AbortSignal): AsyncGenerator<CapturedPicture>;
  /** Drop kept connections. */
  close(): void;
}
