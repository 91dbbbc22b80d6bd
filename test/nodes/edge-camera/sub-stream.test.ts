import { subStreamOf } from '../../../nodes/edge-camera/sub-stream';

test.each([
  ['Hikvision', 'rtsp://cam:554/Streaming/Channels/101', 'rtsp://cam:554/Streaming/Channels/102'],
  [
    'Hikvision',
    'rtsp://nvr/Streaming/channels/1601?transportmode=unicast',
    'rtsp://nvr/Streaming/channels/1602?transportmode=unicast',
  ],
  ['Hikvision, EZVIZ', 'rtsp://cam/h264/ch1/main/av_stream', 'rtsp://cam/h264/ch1/sub/av_stream'],
  ['Dahua, Amcrest, Lorex', 'rtsp://cam/cam/realmonitor?channel=1&subtype=0', 'rtsp://cam/cam/realmonitor?channel=1&subtype=1'],
  ['Reolink', 'rtsp://cam:554/h264Preview_01_main', 'rtsp://cam:554/h264Preview_01_sub'],
  ['Reolink', 'rtmp://cam/bcs/channel0_main.bcs?channel=0&stream=0', 'rtmp://cam/bcs/channel0_sub.bcs?channel=0&stream=0'],
  ['TP-Link Tapo, VIGI', 'rtsp://cam:554/stream1', 'rtsp://cam:554/stream2'],
  ['Uniview', 'rtsp://cam/unicast/c1/s0/live', 'rtsp://cam/unicast/c1/s1/live'],
  ['Uniview', 'rtsp://cam/media/video1', 'rtsp://cam/media/video2'],
  ['Foscam', 'rtsp://cam:88/videoMain', 'rtsp://cam:88/videoSub'],
  ['Axis', 'rtsp://cam/axis-media/media.amp', 'rtsp://cam/axis-media/media.amp?resolution=640x360'],
  ['Axis', 'rtsp://cam/axis-media/media.amp?camera=2', 'rtsp://cam/axis-media/media.amp?camera=2&resolution=640x360'],
  [
    'Xiongmai (XMEye)',
    'rtsp://cam:554/user=admin_password=x_channel=1_stream=0.sdp',
    'rtsp://cam:554/user=admin_password=x_channel=1_stream=1.sdp',
  ],
])('the main stream of %s has a sub-stream beside it: %s', (maker, main, sub) => {
  expect(subStreamOf(main)).toEqual({ maker, url: sub });
  // Offered once: what it gives is no main stream any more.
  expect(subStreamOf(sub)).toBeUndefined();
});

test.each([
  'rtsp://cam/Streaming/Channels/102',
  'rtsp://cam/Streaming/Channels/1010',
  'rtsp://cam/live/stream1/other',
  'rtsp://cam/my/stream1',
  'rtsp://cam/axis-media/media.amp?resolution=1280x720',
  'rtsp://cam/axis-media/media.amp?streamprofile=small',
  'http://cam/snapshot.jpg',
  '/dev/video0',
  '',
])('nothing is offered for %s', (address) => expect(subStreamOf(address)).toBeUndefined());
