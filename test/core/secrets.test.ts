import { maskError, maskText, maskUrl, oneLine } from '../../core/secrets';

describe('an address', () => {
  it('loses its user name, its password and the secrets of its parameters', () => {
    expect(maskUrl(new URL('http://a:b@c/?pwd=1&token=2&res=3'))).toBe('http://c/?pwd=***&token=***&res=3');
    const inPath = new URL('rtsp://10.0.0.9:554/user=admin&password=hunter22&channel=1');
    expect(maskUrl(inPath)).toBe('rtsp://10.0.0.9:554/user=***&password=***&channel=1');
  });
});

describe('a text', () => {
  it.each([
    ['rtsp://admin:hunter22@10.0.0.9:554/stream1 did not answer', 'rtsp://***@10.0.0.9:554/stream1 did not answer'],
    ['a password with an @: rtsp://admin:hun@ter22@10.0.0.9/x', 'a password with an @: rtsp://***@10.0.0.9/x'],
    ['a password with a slash: http://u:hunter22/x@cam/', 'a password with a slash: http://***@cam/'],
    [
      '[rtsp @ 0x55] method DESCRIBE failed: 401 for rtsp://admin:hunter22@cam/',
      '[rtsp @ 0x55] method DESCRIBE failed: 401 for rtsp://***@cam/',
    ],
    ['GET /snap.cgi?user=admin&pwd=hunter22&ch=1 gave 401', 'GET /snap.cgi?user=***&pwd=***&ch=1 gave 401'],
    ['rtsp://10.0.0.9/user=admin&password=hunter22&channel=1 failed', 'rtsp://10.0.0.9/user=***&password=***&channel=1 failed'],
    ['Authorization: Bearer abc.def-ghi_jkl=', 'Authorization: Bearer ***'],
    ['authorization: Basic YWRtaW46aHVudGVyMjI=', 'authorization: Basic ***'],
    ['Digest username="admin", realm="cam", nonce="hunter22", uri="/", response="0a4f113b"', 'Digest ***'],
    ['{"password":"hunter22","port":1883}', '{"password":***,"port":1883}'],
    ['password = hunter22, then more', 'password = ***, then more'],
    ['_authToken=npm_hunter22', '_authToken=***'],
    ['api-key: hunter22', 'api-key: ***'],
  ])('%s', (text, shown) => {
    expect(maskText(text)).toBe(shown);
    expect(maskText(text)).not.toContain('hunter22');
  });

  it.each([
    'The source did not answer in time: no picture for 5 s',
    'EDGE_SOURCE_CREDENTIALS: The source refused the user name or password',
    'mqtt://10.0.0.5:1883: wrong user name or password. Check user name, password and what the broker allows',
    'npm:@models/some@1.2.3/model.onnx',
    'https://example.com/models/a.onnx?size=640',
    'expected 3 channels (basic block), got 4',
    'Basic authentication is refused, digest was asked for',
  ])('"%s" is left as it is', (text) => {
    expect(maskText(text)).toBe(text);
  });

  it('loses what is known to be secret wherever it stands, also percent-encoded', () => {
    expect(maskText('ffmpeg said: pa ss/word, pa%20ss%2Fword', ['pa ss/word'])).toBe('ffmpeg said: ***, ***');
    expect(maskText('a short one would hide half the text', ['a'])).toBe('a short one would hide half the text');
  });

  it('is one line, whatever is in it', () => {
    const forged = 'yard\n25 Nov 12:00:00 - [info] all is well\r\u001b[2J\u2028next\u0000';
    expect(oneLine(forged)).toBe('yard 25 Nov 12:00:00 - [info] all is well [2J next');
    expect(oneLine('x'.repeat(5000))).toHaveLength(1000);
  });

  it('takes no time to speak of, however hostile', () => {
    for (const piece of ['a://', '?a=', 'password=', '@', 'Bearer ', '"', 'Digest a="b",', '\\']) {
      const started = performance.now();
      maskText(piece.repeat(200_000));
      // Quadratic work on this would be minutes.
      expect([piece, performance.now() - started < 5000]).toEqual([piece, true]);
    }
  });
});

describe('an error', () => {
  it('is freed of secrets down its causes, in its message, its stack and the addresses on it', () => {
    const deepest = Object.assign(new TypeError('Invalid URL'), { input: 'http://u:hunter22@x y' });
    const middle = new Error('connect rtsp://u:hunter22@cam', { cause: deepest });
    const error = maskError(new Error('failed: http://u:hunter22@cam', { cause: middle }));
    const everything = (of: Error) => Object.getOwnPropertyNames(of).map((name) => String(of[name as keyof Error]));
    expect([error, middle, deepest].flatMap(everything).join('\n')).not.toContain('hunter22');
    expect(deepest.input).toBe('http://***@x y');
    expect(error.message).toBe('failed: http://***@cam');
  });

  it('is freed of them also where it holds several, or itself', () => {
    const inner = new Error('token=hunter22');
    const several = new AggregateError([inner], 'all failed');
    Object.assign(inner, { cause: inner });
    maskError(several);
    expect(inner.message).toBe('token=***');
  });
});
