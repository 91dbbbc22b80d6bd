export interface SubStream {
  url: string;
  maker: string;
}

interface Rule {
  maker: string;
  main: RegExp;
  sub: string;
}

/**
 * How makers name their main stream, and the smaller one beside it. Only what is sure: a wrong offer costs more than none.
 * Sources: the makers' own RTSP notes; docs/finding-your-camera.md lists them.
 */
const RULES: Rule[] = [
  { maker: 'Hikvision', main: /(\/streaming\/(?:unicast\/)?channels\/\d+)01\b/i, sub: '$102' },
  { maker: 'Hikvision, EZVIZ', main: /(\/(?:h264|h265|mpeg4)\/ch\d+\/)main(\/av_stream)/i, sub: '$1sub$2' },
  { maker: 'Dahua, Amcrest, Lorex', main: /(\/cam\/realmonitor\?(?:[^#]*&)?subtype=)0\b/i, sub: '$11' },
  { maker: 'Reolink', main: /(\/(?:h26[45])?preview_\d+_)main\b/i, sub: '$1sub' },
  { maker: 'Reolink', main: /(\/bcs\/channel\d+_)main(\.bcs)/i, sub: '$1sub$2' },
  { maker: 'TP-Link Tapo, VIGI', main: /(:\/\/[^/]+\/stream)1\/?$/i, sub: '$12' },
  { maker: 'Uniview', main: /(\/unicast\/c\d+\/s)0(\/live)/i, sub: '$11$2' },
  { maker: 'Uniview', main: /(:\/\/[^/]+\/media\/video)1\/?$/i, sub: '$12' },
  { maker: 'Foscam', main: /(:\/\/[^/]+\/video)Main\/?$/i, sub: '$1Sub' },
  { maker: 'Xiongmai (XMEye)', main: /([_&?]channel=\d+[_&]stream=)0(?=\.sdp)/i, sub: '$11' },
];

/** Axis has no second address: it sends the size that is asked for. */
const AXIS = /\/axis-media\/media\.amp(?:\?([^#]*))?$/i;

/** The smaller stream of the same camera, where the address is the main stream of a maker that is known. */
export function subStreamOf(address: string): SubStream | undefined {
  const url = address.trim();
  const axis = AXIS.exec(url);
  if (axis && !/(^|&)(resolution|streamprofile)=/i.test(axis[1] ?? '')) {
    return { url: `${url}${url.includes('?') ? '&' : '?'}resolution=640x360`, maker: 'Axis' };
  }
  const rule = RULES.find(({ main }) => main.test(url));
  return rule && { url: url.replace(rule.main, rule.sub), maker: rule.maker };
}
