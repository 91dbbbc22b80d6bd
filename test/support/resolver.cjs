'use strict';
const { join, relative, resolve, sep } = require('node:path');

const ROOT = join(__dirname, '..', '..');

/**
 * What a test imports from core/ or nodes/ is taken from dist/: the compiled code that is shipped. Resolved paths are compared,
 * not texts: Node-RED, too, has modules that it calls `../nodes/context`.
 */
module.exports = (path, options) => {
  if (path.startsWith('.')) {
    const wanted = relative(ROOT, resolve(options.basedir, path));
    if (wanted.startsWith(`core${sep}`) || wanted.startsWith(`nodes${sep}`)) {
      return options.defaultResolver(join(ROOT, 'dist', wanted), options);
    }
  }
  return options.defaultResolver(path, options);
};
