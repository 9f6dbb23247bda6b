'use strict';

// Cloud SDKs and database drivers are imported at the top of Backstage's own modules, whether configured or not.
// In their place stands this: any name may be imported, and the first use says what is missing.
class Absent {
  constructor() {
    throw new Error('não faz parte deste portal: veja "resolutions" em portal/package.json');
  }
}

module.exports = new Proxy(
  {},
  {
    get: (_target, name) => (name === '__esModule' || typeof name === 'symbol' ? undefined : Absent),
    has: (_target, name) => name !== 'default',
  },
);
