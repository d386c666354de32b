/**
 * oclif's list of commands with their flags and help. With it, one command's file is loaded where
 * without it all are: that is most of the start-up time.
 *
 * In a package it is made by the build. In a checkout it is made anew whenever a source is newer.
 */
import { readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Plugin, type Interfaces } from '@oclif/core';

const FILE = 'oclif.manifest.json';

/** @param base `src` or `dist`: the folder that holds `commands`. */
export async function writeManifest(base: string, pjson: Interfaces.PJSON): Promise<void> {
  const plugin = new Plugin({
    root: base,
    pjson,
    isRoot: true,
    ignoreManifest: true,
    errorOnManifestCreate: true,
  });
  await plugin.load();
  const unfinished = join(base, `${FILE}.${process.pid}`);
  writeFileSync(unfinished, JSON.stringify(plugin.manifest));
  renameSync(unfinished, join(base, FILE));
}

/** True where a source, or a folder of them, has changed since the manifest was written. */
export function manifestIsStale(base: string): boolean {
  const made = statSync(join(base, FILE), { throwIfNoEntry: false })?.mtimeMs;
  if (made === undefined) return true;
  const isNewer = (path: string) => statSync(path).mtimeMs > made;
  return readdirSync(base, { recursive: true, withFileTypes: true }).some(
    (entry) =>
      (entry.isDirectory() || entry.name.endsWith('.ts')) &&
      isNewer(join(entry.parentPath, entry.name)),
  );
}
