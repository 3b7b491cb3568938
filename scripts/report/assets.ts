/** What the page is made of besides data: uPlot and the compiled page script, read from disk once. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { AppError } from '../../core/base/errors.ts';

export interface ReportAssets {
  /** Defines the global `uPlot`. */
  readonly plotLibrary: string;
  readonly plotStyle: string;
  /** An ES module without imports. */
  readonly pageScript: string;
}

/** Fails with `dependency-missing` when the installation is incomplete. */
export async function loadReportAssets(): Promise<ReportAssets> {
  const { resolve } = createRequire(import.meta.url);
  const read = (path: string) => readFile(path, 'utf8');
  try {
    const [plotLibrary, plotStyle, pageScript] = await Promise.all([
      read(resolve('uplot/dist/uPlot.iife.min.js')),
      read(resolve('uplot/dist/uPlot.min.css')),
      read(fileURLToPath(new URL('./page.js', import.meta.url))),
    ]);
    return { plotLibrary, plotStyle, pageScript: pageScript.replace(/^\/\/# sourceMappingURL=.*$/m, '') };
  } catch (cause) {
    throw new AppError('dependency-missing', 'a part of the report is not installed', {
      where: 'scripts/report',
      hint: 'install the dependencies and build the project again',
      cause,
    });
  }
}
