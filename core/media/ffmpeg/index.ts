export { findFfmpeg } from './find';
export { inputArguments, linuxDevice, type StreamTransport, type VideoInput } from './input';
export { type LivePicture, type LiveTimes, LiveVideo } from './live';
export { Ffmpeg } from './program';
export { type DecodedPicture, decodeVideo, type VideoPictures } from './recorded';
export { beforeRotation, pictureArguments, type View, WHOLE } from './view';
