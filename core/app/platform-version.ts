import manifest from '../../package.json' with { type: 'json' };

/** Of package.json: the one place where the platform's version stands. */
export const platformVersion: string = manifest.version;
