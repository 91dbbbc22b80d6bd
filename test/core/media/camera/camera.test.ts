import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import { Camera, type CapturedPicture, openCamera, takeSnapshot } from '../../../../core/media/camera';
import { addressName, type NetworkAddress, parseAddress, urlWithCredentials } from '../../../../core/media/camera/address';
import { parseChallenges } from '../../../../core/media/camera/authorization';
import { maskUrl } from '../../../../core/secrets';
import { until } from '../../../support/until';
import { noise } from '../pictures';
import { MULTIPART, part, type TestCamera, testCamera } from './server';

let picture: Buffer;
let other: Buffer;
let camera: TestCamera | undefined;
const never = new AbortController().signal;
beforeAll(async () => {
  picture = await noise(64, 48).jpeg().toBuffer();
  other = await noise(32, 24).jpeg().toBuffer();
});
afterEach(async () => {
  await camera?.close();
  camera = undefined;
});

const snapshot = (path = '/', more: object = {}) =>
  takeSnapshot({ url: camera!.url + path, kind: 'snapshot', timeoutMs: 20_000, ...more }, never);
const failing = async (attempt: Promise<unknown>) => {
  const error = await attempt.then(
    () => ({ code: 'none', message: '' }),
    (thrown: { code: string; message: string }) => thrown,
  );
  return error;
};

describe('a snapshot', () => {
  test('is the picture, still compressed, with the time it took', async () => {
    camera = await testCamera((_, response) => response.end(picture));
    const { frame, captureMs } = await snapshot();
    expect(frame).toMatchObject({ width: 64, height: 48, encoding: 'jpeg' });
    expect(captureMs).toBeGreaterThan(0);
    expect(camera.requests[0]!.headers.authorization).toBeUndefined();
  });

  const wrong: [string, Parameters<typeof testCamera>[0], string][] = [
    [
      'a page instead of a picture',
      (_, response) => response.setHeader('content-type', 'text/html').end('<html>login</html>'),
      'EDGE_SOURCE_CONTENT',
    ],
    ['nothing at all', (_, response) => response.end(), 'EDGE_SOURCE_CONTENT'],
    ['no content', (_, response) => response.writeHead(204).end(), 'EDGE_SOURCE_REFUSED'],
    ['not found', (_, response) => response.writeHead(404).end(), 'EDGE_SOURCE_REFUSED'],
    ['an error of the camera', (_, response) => response.writeHead(500).end(), 'EDGE_SOURCE_REFUSED'],
    ['no right to see it', (_, response) => response.writeHead(403).end(), 'EDGE_SOURCE_CREDENTIALS'],
    ['an answer that never comes', () => {}, 'EDGE_SOURCE_TIMEOUT'],
    ['a body that never ends', (_, response) => void response.write(Buffer.alloc(10)), 'EDGE_SOURCE_TIMEOUT'],
    [
      'a body that is announced huge',
      (_, response) => void response.writeHead(200, { 'content-length': 2 ** 40 }).write('x'),
      'EDGE_IMAGE_TOO_LARGE',
    ],
    ['a connection that breaks', (_, response) => response.socket!.destroy(), 'EDGE_SOURCE_UNREACHABLE'],
    [
      'a body that breaks in the middle',
      (_, response) => {
        response.writeHead(200, { 'content-length': 1e6 }).write(Buffer.alloc(100));
        setTimeout(() => response.socket?.destroy(), 20);
      },
      'EDGE_SOURCE_UNREACHABLE',
    ],
    [
      'a redirect without end',
      (request, response) => response.writeHead(302, { location: `${request.url}x` }).end(),
      'EDGE_SOURCE_REFUSED',
    ],
    [
      'a redirect to a file',
      (_, response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
      'EDGE_SOURCE_REFUSED',
    ],
    ['a redirect to nonsense', (_, response) => response.writeHead(302, { location: 'http://[' }).end(), 'EDGE_SOURCE_REFUSED'],
  ];
  test.each(wrong)('%s is refused with a code, and no connection stays', async (_name, behave, code) => {
    camera = await testCamera(behave);
    // Short only where it is to be waited for: anything else may take its time on a busy machine.
    expect((await failing(snapshot('/', code === 'EDGE_SOURCE_TIMEOUT' ? { timeoutMs: 400 } : {}))).code).toBe(code);
    await until(() => camera?.sockets.size === 0, 'every connection to close');
  });

  test('an endless body is cut at the limit', async () => {
    camera = await testCamera((_, response) => {
      const block = Buffer.alloc(2 ** 20, 0xff);
      const pour = () => {
        while (!response.destroyed && response.write(block));
        if (!response.destroyed) response.once('drain', pour);
      };
      pour();
    });
    expect((await failing(snapshot())).code).toBe('EDGE_IMAGE_TOO_LARGE');
  });

  test('a few redirects are followed', async () => {
    camera = await testCamera((request, response) => {
      const hop = Number(request.url!.slice(1));
      if (hop < 5) response.writeHead(302, { location: `/${hop + 1}` }).end('moved');
      else response.end(picture);
    });
    expect((await snapshot('/0')).frame.width).toBe(64);
  });

  test('nobody at the address, and something that does not speak HTTP', async () => {
    camera = await testCamera(() => {});
    const { url } = camera;
    await camera.close();
    expect((await failing(takeSnapshot({ url, kind: 'auto', timeoutMs: 20_000 }, never))).code).toBe('EDGE_SOURCE_UNREACHABLE');
    const silent = createServer((socket) => socket.end('220 mail ready\r\n'));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as { port: number };
    expect((await failing(takeSnapshot({ url: `http://127.0.0.1:${port}`, kind: 'auto', timeoutMs: 20_000 }, never))).code).toBe(
      'EDGE_SOURCE_UNREACHABLE',
    );
    silent.close();
  });
});

describe('credentials', () => {
  const credentials = { user: 'admin', password: 'p"ä,ss' };
  const digestOf = (algorithm: string, text: string) => createHash(algorithm).update(text).digest('hex');
  const fields = (header: string) => parseChallenges(header)[0]!.parameters;

  test('basic: sent only when asked, then at once', async () => {
    camera = await testCamera((request, response) => {
      if (request.headers.authorization === `Basic ${Buffer.from('admin:p"ä,ss').toString('base64')}`) response.end(picture);
      else response.writeHead(401, { 'www-authenticate': 'Basic realm="cam"' }).end();
    });
    const source = openCamera({ url: camera.url, kind: 'snapshot', credentials });
    const pictures = source.pictures(never);
    await pictures.next();
    await pictures.next();
    await pictures.return(undefined);
    source.close();
    expect(camera.requests.map(({ headers }) => headers.authorization !== undefined)).toEqual([false, true, true]);
  });

  test.each([
    ['MD5 without qop, as old cameras', 'md5', 'Digest realm="cam", nonce="n1", opaque="o"'],
    ['MD5', 'md5', 'Digest realm="cam", nonce="n1", qop="auth,auth-int", algorithm=MD5'],
    [
      'SHA-256, chosen over MD5 and Basic',
      'sha256',
      'Basic realm="x", Digest realm="cam", qop="auth", nonce="n0", algorithm=MD5, Digest realm="cam", qop="auth", nonce="n1", algorithm=SHA-256',
    ],
    ['MD5-sess', 'md5', 'Digest realm="cam", nonce="n1", qop="auth", algorithm=MD5-sess'],
  ])('digest %s', async (_name, algorithm, challenge) => {
    const counts: string[] = [];
    camera = await testCamera((request, response) => {
      const header = request.headers.authorization;
      if (!header) {
        response.writeHead(401, { 'www-authenticate': challenge }).end('no');
        return;
      }
      const sent = fields(header);
      let first = digestOf(algorithm, 'admin:cam:p"ä,ss');
      if (challenge.includes('sess')) first = digestOf(algorithm, `${first}:n1:${sent.cnonce}`);
      const second = digestOf(algorithm, `GET:${request.url}`);
      const middle = challenge.includes('qop') ? `n1:${sent.nc}:${sent.cnonce}:auth` : 'n1';
      if (sent.response === digestOf(algorithm, `${first}:${middle}:${second}`)) {
        counts.push(sent.nc ?? '');
        response.end(picture);
      } else response.writeHead(401, { 'www-authenticate': challenge }).end();
    });
    const source = openCamera({ url: `${camera.url}/shot.jpg?size=1`, kind: 'snapshot', credentials });
    const pictures = source.pictures(never);
    await pictures.next();
    await pictures.next();
    await pictures.return(undefined);
    source.close();
    // Asked once, then the nonce is used again with its count.
    expect(camera.requests).toHaveLength(3);
    if (challenge.includes('qop')) expect(counts).toEqual(['00000001', '00000002']);
  });

  test('a stale nonce is renewed, a wrong password is asked for twice at most', async () => {
    let nonce = 0;
    camera = await testCamera((request, response) => {
      const header = request.headers.authorization;
      if (header?.includes(`nonce="n${nonce}"`) && nonce === 2) response.end(picture);
      else {
        nonce += 1;
        response.writeHead(401, { 'www-authenticate': `Digest realm="c", qop="auth", nonce="n${nonce}", stale=true` }).end();
      }
    });
    expect((await snapshot('/', { credentials })).frame.width).toBe(64);
    await camera.close();
    camera = await testCamera((_, response) =>
      response.writeHead(401, { 'www-authenticate': 'Digest realm="c", qop="auth", nonce="n"' }).end(),
    );
    expect((await failing(snapshot('/', { credentials }))).code).toBe('EDGE_SOURCE_CREDENTIALS');
    expect(camera.requests).toHaveLength(2);
  });

  test('none are set: says so', async () => {
    camera = await testCamera((_, response) => response.writeHead(401, { 'www-authenticate': 'Basic realm="c"' }).end());
    const error = await failing(snapshot());
    expect(error).toMatchObject({ code: 'EDGE_SOURCE_CREDENTIALS' });
    expect(error.message).toContain('none are set');
  });

  test('are never sent to another host', async () => {
    const thief = await testCamera((_, response) => response.writeHead(401, { 'www-authenticate': 'Basic realm="cam"' }).end());
    camera = await testCamera((request, response) => {
      if (!request.headers.authorization) response.writeHead(401, { 'www-authenticate': 'Basic realm="cam"' }).end();
      else response.writeHead(302, { location: `${thief.url}/x` }).end();
    });
    expect((await failing(snapshot('/', { credentials }))).code).toBe('EDGE_SOURCE_CREDENTIALS');
    expect(thief.requests).toHaveLength(1);
    expect(thief.requests[0]!.headers.authorization).toBeUndefined();
    await thief.close();
  });

  test('are in no error, wherever they were typed', async () => {
    camera = await testCamera((_, response) => response.writeHead(500).end());
    const url = `http://joe:geheim@${camera.host}/a?user=joe&password=geheim&channel=1`;
    const error = await failing(takeSnapshot({ url, kind: 'auto' }, never));
    expect(error.message).toContain('channel=1');
    expect(JSON.stringify([error.message, String((error as unknown as Error).cause)])).not.toMatch(/geheim|joe/);
    expect(camera.requests[0]!.path).toContain('password=geheim');
  });
});

describe('an address', () => {
  const network = (...typed: Parameters<typeof parseAddress>) => parseAddress(...typed) as NetworkAddress;

  test('gives up its user name and password', () => {
    const { url, credentials } = network('http://joe:p%40ss@cam.local:81/x?y=1#z');
    expect(credentials).toEqual({ user: 'joe', password: 'p@ss' });
    expect(url.href).toBe('http://cam.local:81/x?y=1');
    expect(network('http://joe:a@cam', { user: 'ann', password: 'b' }).credentials).toEqual({ user: 'ann', password: 'b' });
    expect(maskUrl(new URL('http://a:b@c/?pwd=1&token=2&res=3'))).toBe('http://c/?pwd=***&token=***&res=3');
  });

  test('may lack its scheme', () => {
    expect(network('192.168.1.9/shot.jpg').url.href).toBe('http://192.168.1.9/shot.jpg');
  });

  test.each([
    ['rtsp://joe:geheim@cam/live', 'stream', 'cam'],
    ['http://cam/live/index.m3u8', 'stream', 'cam'],
    ['srt://cam:9000?mode=caller', 'stream', 'cam'],
    ['srt://:9000?mode=listener', 'stream', '0.0.0.0'],
    ['udp://@:5004', 'stream', '0.0.0.0'],
    ['udp://@239.0.0.7:5004', 'stream', '239.0.0.7'],
    ['http://cam/snapshot.jpg', 'http', 'cam'],
    ['/dev/video0', 'device', 'video0'],
    ['usb:1', 'device', '1'],
    ['usb://Integrated Camera', 'device', 'Integrated Camera'],
    ['/home/pi/my yard.mp4', 'file', 'my yard'],
    ['file:///home/pi/my%20yard.mp4', 'file', 'my yard'],
    ['C:\\films\\yard.mp4', 'file', 'yard'],
  ])('%s is a %s called %s', (text, kind, name) => {
    const address = parseAddress(text);
    expect(address.kind).toBe(kind);
    expect(addressName(address)).toBe(name);
  });

  test('is given to FFmpeg with its credentials percent-encoded', () => {
    const address = network("rtsp://cam:8554/live?a=1'b", { user: 'jo@n', password: "p:/?#[]@!$&'()*+,;= ä%" });
    const whole = urlWithCredentials(address);
    expect(whole).toMatch(/^rtsp:\/\/jo%40n:[A-Za-z0-9%._~-]+@cam:8554\/live/);
    expect(decodeURIComponent(new URL(whole).password)).toBe("p:/?#[]@!$&'()*+,;= ä%");
    expect(whole).not.toContain("'");
  });

  test('is shown without the secrets that some makers put into the path', () => {
    const { url } = network('rtsp://10.0.0.2:554/user=admin_password=geheim_channel=1_stream=0.sdp?token=geheim&profile=1');
    expect(maskUrl(url)).not.toContain('geheim');
    expect(maskUrl(url)).toContain('profile=1');
  });

  test.each([
    ['', /address/],
    ['onvif://cam', /ONVIF/],
    ['wss://cam/x', /https or rtsp/],
    ['concat:a|b', /address/],
    ['rtsp:///live', /without a host/],
    ['http://joe:geheim@[/x', /\*\*\*/],
    ['rtsp://joe:ge/heim#geheim@cam/x', /\*\*\*|own field/],
  ])('%s is refused with what to do, without secrets', (text, says) => {
    expect(() => parseAddress(text)).toThrow(
      expect.objectContaining({ code: 'EDGE_SOURCE_URL', message: expect.stringMatching(says) }),
    );
    expect(() => parseAddress(text)).not.toThrow(/geheim/);
  });
});

describe('an MJPEG stream', () => {
  const stream = (more: object = {}) =>
    openCamera({ url: camera!.url, kind: 'mjpeg', timeoutMs: 20_000, stallMs: 20_000, ...more });

  test('gives the newest picture each time it is asked for one', async () => {
    let more = () => {};
    camera = await testCamera((_, response) => {
      response.writeHead(200, MULTIPART);
      response.write(part(picture));
      more = () => {
        for (let count = 0; count < 20; count++) response.write(part(picture));
        response.write(part(other));
      };
    });
    const pictures = stream().pictures(never);
    await pictures.next();
    more();
    // What lies in the socket is read whenever the event loop turns.
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect((await pictures.next()).value).toMatchObject({ frame: { width: 32 } });
    await pictures.return(undefined as never);
  });

  test('kind auto sees what it is by the answer, with one request', async () => {
    camera = await testCamera((request, response) => {
      if (request.url === '/stream') response.writeHead(200, MULTIPART).write(part(picture));
      else response.setHeader('content-type', 'image/jpeg').end(picture);
    });
    for (const [path, kind] of [
      ['/stream', 'mjpeg'],
      ['/shot', 'snapshot'],
    ]) {
      const source = openCamera({ url: camera.url + path, kind: 'auto' });
      const pictures = source.pictures(never);
      await pictures.next();
      expect(source.kind).toBe(kind);
      await pictures.return(undefined as never);
      source.close();
    }
    expect(camera.requests).toHaveLength(2);
  });

  const trickle = (response: { destroyed: boolean; write(bytes: Buffer): unknown }, bytes: Buffer) => {
    let at = 0;
    const timer = setInterval(() => {
      if (response.destroyed) clearInterval(timer);
      else response.write(bytes.subarray(at, ++at));
    }, 5);
    timer.unref();
  };
  test.each([
    ['stops sending', () => {}],
    ['only trickles', (response: never) => trickle(response, picture)],
  ])('one that %s is given up', async (_name, then) => {
    camera = await testCamera((_, response) => {
      response.writeHead(200, MULTIPART).write(part(picture));
      then(response as never);
    });
    const watch = async () => {
      for await (const _ of stream({ stallMs: 300 }).pictures(never));
    };
    expect((await failing(watch())).code).toBe('EDGE_SOURCE_TIMEOUT');
  });

  test.each([
    ['ends', (response: { end(): void }) => response.end(), 'EDGE_SOURCE_UNREACHABLE'],
    ['breaks', (response: { socket: { destroy(): void } }) => response.socket.destroy(), 'EDGE_SOURCE_UNREACHABLE'],
  ])('one that %s says so', async (_name, then, code) => {
    camera = await testCamera((_, response) => {
      response.writeHead(200, MULTIPART).write(part(picture));
      setTimeout(() => then(response as never), 20);
    });
    const pictures = stream().pictures(never);
    await pictures.next();
    expect((await failing(pictures.next())).code).toBe(code);
  });

  test('a page, or an endless stream of something else, is not a stream of pictures', async () => {
    camera = await testCamera((request, response) => {
      if (request.url === '/page') response.setHeader('content-type', 'text/html').end('<html>');
      else for (let count = 0; count < 8; count++) response.write(Buffer.alloc(2 ** 20, 65));
    });
    for (const path of ['/page', '/noise']) {
      const source = openCamera({ url: camera.url + path, kind: 'mjpeg', stallMs: 20_000 });
      expect((await failing(source.pictures(never).next())).code).toBe('EDGE_SOURCE_CONTENT');
      source.close();
    }
  });

  test('aborting ends it and drops the connection', async () => {
    camera = await testCamera((_, response) => void response.writeHead(200, MULTIPART).write(part(picture)));
    const stopping = new AbortController();
    const pictures = stream().pictures(stopping.signal);
    await pictures.next();
    const waiting = pictures.next();
    stopping.abort();
    expect((await waiting).done).toBe(true);
    await until(() => camera?.sockets.size === 0, 'every connection to close');
  });
});

describe('a camera that runs', () => {
  test('comes back after errors, later and later, and keeps to its rate', async () => {
    let down = true;
    camera = await testCamera((_, response) => (down ? response.writeHead(503).end() : response.end(picture)));
    const seen: CapturedPicture[] = [];
    const errors: string[] = [];
    const running = new Camera(
      openCamera({ url: camera.url, kind: 'snapshot' }),
      50,
      {
        onPicture: (captured) => seen.push(captured),
        onState: () => {},
        onError: (error) => {
          errors.push(error.code);
          if (errors.length === 3) down = false;
        },
      },
      5,
    );
    running.start();
    while (seen.length < 5) await new Promise((resolve) => setTimeout(resolve, 5));
    await running.stop();
    expect(errors).toEqual(['EDGE_SOURCE_REFUSED', 'EDGE_SOURCE_REFUSED', 'EDGE_SOURCE_REFUSED']);
    const count = seen.length;
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(seen.length).toBe(count);
    await until(() => camera?.sockets.size === 0, 'every connection to close');
  });
});
