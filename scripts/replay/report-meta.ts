/** What a report says about its own making. */

import { packageVersion } from '../../core/base/package-version.ts';
import type { ReportMeta } from '../report/html.ts';

export function reportMeta(title: string): ReportMeta {
  const command = ['qqr', ...process.argv.slice(2)].join(' ');
  return { title, date: new Date().toISOString().slice(0, 10), version: packageVersion(), command };
}
