#!/usr/bin/env node
import path from 'node:path';
import { coreFlags } from './core-flags.mjs';
import { root, run } from './run.mjs';

await run([...coreFlags, path.join(root, 'core', 'main.ts'), ...process.argv.slice(2)]);
