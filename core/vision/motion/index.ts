export { GATE_DEFAULTS, type GateSettings, MotionGate } from './gate';
export { type GreyPicture, toGrey } from './grey';
export type { MotionArea } from './mask';
export { MOTION_DEFAULTS, type Motion, MotionDetector, type MotionSettings, type Scene } from './motion';
