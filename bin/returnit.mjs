#!/usr/bin/env node
import path from 'node:path';
import { root, run } from './run.mjs';

run(['--disable-sigusr1', '--disable-warning=ExperimentalWarning', path.join(root, 'core', 'main.ts'), ...process.argv.slice(2)]);
