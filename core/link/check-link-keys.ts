/** Which settings of a link go together: the same for board and aggregator. */

export interface LinkKeys {
  /** Undefined: a broker in the same process. */
  readonly url?: string | undefined;
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** @param object told of each key that does not fit, with why */
export function checkLinkKeys(keys: LinkKeys, object: (key: keyof LinkKeys, why: string) => void): void {
  const isTls = keys.url?.startsWith('mqtts:') ?? false;
  for (const name of ['ca', 'cert', 'key'] as const)
    if (keys[name] !== undefined && !isTls) object(name, 'is for a url that begins with mqtts://');
  if (keys.cert !== undefined && keys.key === undefined)
    object('key', 'is missing: a certificate needs its private key');
  if (keys.key !== undefined && keys.cert === undefined)
    object('cert', 'is missing: a private key needs its certificate');
}
