/**
 * Every error that a user of the palette can meet, in one table: the code is stable (a Catch node may switch on `error.code`),
 * the sentence says what it means. An EdgeError adds what was found and, where there is one, what mends it.
 */
export const ERRORS = {
  // input
  EDGE_INPUT_TYPE: 'The payload is not something this node accepts',
  EDGE_INPUT_EMPTY: 'The payload is empty',
  EDGE_INPUT_NOT_FINITE: 'The input holds NaN or an infinite number',
  EDGE_IMAGE_FORMAT: 'The bytes are not a picture in a known format',
  EDGE_IMAGE_TRUNCATED: 'The picture is damaged or cut short',
  EDGE_IMAGE_TOO_LARGE: 'The picture is larger than allowed',
  EDGE_FRAME_GONE: 'The picture or tensor that this message referred to is no longer in memory',
  EDGE_MEMORY_LIMIT: 'The pictures and tensors alive at once reached their limit',
  EDGE_FILE_NOT_FOUND: 'The file or folder does not exist or cannot be read',
  // sources
  EDGE_SOURCE_URL: 'The address is not one this node can read',
  EDGE_SOURCE_UNREACHABLE: 'The source did not answer',
  EDGE_SOURCE_REFUSED: 'The source refused the request',
  EDGE_SOURCE_CREDENTIALS: 'The source refused the user name or password',
  EDGE_SOURCE_TIMEOUT: 'The source did not answer in time',
  EDGE_SOURCE_CONTENT: 'The source answered with something other than pictures',
  EDGE_DEVICE_NOT_FOUND: 'The camera device is not there',
  EDGE_DEVICE_BUSY: 'The camera device is in use by another program',
  EDGE_DEVICE_PERMISSION: 'Node-RED is not allowed to use the camera device',
  EDGE_FFMPEG_MISSING: 'Video needs FFmpeg, which is not installed',
  EDGE_FFMPEG_FAILED: 'FFmpeg could not read the video',
  EDGE_FFMPEG_INSTALL: 'FFmpeg could not be installed',
  // models
  EDGE_MODEL_NONE: 'No model is chosen',
  EDGE_MODEL_NOT_FOUND: 'The model could not be found',
  EDGE_MODEL_SOURCE: 'The model source is not valid',
  EDGE_MODEL_DOWNLOAD: 'The model could not be fetched',
  EDGE_MODEL_HASH: 'The model is not the one that was asked for: its SHA-256 differs',
  EDGE_MODEL_INVALID: 'The model file is damaged or not a model',
  EDGE_MODEL_UNSUPPORTED: 'The model uses something this palette cannot run',
  EDGE_MODEL_EXTERNAL_DATA: 'The model refers to data outside its own folder',
  EDGE_MODEL_MANIFEST: 'The model manifest is not valid',
  EDGE_MODEL_INCOMPLETE: 'The model does not say how its input or output is to be understood',
  EDGE_MODEL_INPUT_SHAPE: 'The input does not have the shape that the model expects',
  EDGE_MODEL_INPUT_TYPE: 'The input does not have the element type that the model expects',
  EDGE_MODEL_OUTPUT_SHAPE: 'The model gave an output that its head does not understand',
  EDGE_MODEL_OUTPUT_NOT_FINITE: 'The model gave NaN',
  EDGE_MODEL_GOLDEN: 'The model does not give what its golden samples expect',
  EDGE_STORE_WRITE: 'The model store cannot be written',
  // inference
  EDGE_RUNTIME_MISSING: 'The inference runtime is not installed',
  EDGE_RUNTIME_FAILED: 'The inference runtime reported an error',
  EDGE_WORKER_EXITED: 'The inference worker ended unexpectedly',
  EDGE_MODEL_CRASHED: 'The inference engine crashed on the model',
  EDGE_MODEL_TIMEOUT: 'The model did not come to an end in time',
  EDGE_MODEL_MEMORY: 'The model took more memory than it may',
  EDGE_SESSION_CLOSED: 'The model was closed while the message waited',
  EDGE_QUEUE_FULL: 'The queue is full',
  EDGE_SHARP_MISSING: 'The image library sharp is not installed',
  // delivery
  EDGE_BROKER_NONE: 'No broker is chosen',
  EDGE_BROKER_OFFLINE: 'The broker is not connected',
  EDGE_BROKER_NAME: "The broker's name could not be found",
  EDGE_BROKER_UNREACHABLE: 'Nothing answers at the broker address',
  EDGE_BROKER_TLS: 'No secure connection to the broker could be made',
  EDGE_BROKER_CREDENTIALS: 'The broker refused the user name or password',
  EDGE_BROKER_REFUSED: 'The broker refused the connection',
  EDGE_BROKER_PROTOCOL: 'What answers at the broker address does not speak MQTT as it should',
  EDGE_BROKER_URL: 'The broker address is not valid',
  EDGE_PUBLISH_TOPIC: 'The topic is not one that can be published to',
  EDGE_PUBLISH_PAYLOAD: 'The payload cannot be published',
  EDGE_PUBLISH_TIMEOUT: 'The broker did not acknowledge in time',
  EDGE_PUBLISH_FAILED: 'The broker did not accept the message',
  // vision
  EDGE_ZONE_SHAPE: 'A zone or line cannot be used as it is drawn',
  // settings and everything else
  EDGE_SETTING: 'A setting is not valid',
  EDGE_INTERNAL: 'An unexpected error inside the palette',
} as const;

export type ErrorCode = keyof typeof ERRORS;

/** An error with a code of the table. `message` is the table's sentence, then what was found, then what to do. */
export class EdgeError extends Error {
  override readonly name = 'EdgeError';
  readonly code: ErrorCode;
  /** Milliseconds after which trying again may help; absent where it will not. */
  readonly retryAfter?: number;

  constructor(code: ErrorCode, found?: string, options: { cause?: unknown; mend?: string; retryAfter?: number } = {}) {
    const sentence = found ? `${ERRORS[code]}: ${found}` : ERRORS[code];
    super(
      options.mend ? `${sentence}. ${options.mend}` : sentence,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = code;
    if (options.retryAfter !== undefined) this.retryAfter = options.retryAfter;
  }
}

/** Whatever was thrown, as an EdgeError: its own code is kept, anything unknown becomes `code`. */
export function asEdgeError(thrown: unknown, code: ErrorCode = 'EDGE_INTERNAL'): EdgeError {
  if (thrown instanceof EdgeError) return thrown;
  if (thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' && thrown.code in ERRORS)
    return thrown as EdgeError;
  return new EdgeError(code, thrown instanceof Error ? thrown.message : String(thrown), { cause: thrown });
}

/** The one sentence for a bad setting or argument: "frames per second: expected a number from 0.1 to 120, got "x"". */
export function invalidSetting(name: string, expected: string, actual: unknown): EdgeError {
  const shown = typeof actual === 'string' ? JSON.stringify(actual.slice(0, 80)) : String(actual).slice(0, 80);
  return new EdgeError('EDGE_SETTING', `${name}: expected ${expected}, got ${shown}`);
}
