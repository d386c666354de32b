/** A worker thread that hunts for the mistakes that it is told, one after another. */
import { parentPort } from 'node:worker_threads';
import { hunt, type Hunt } from './mutant-hunt.ts';

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
parentPort?.on('message', (wanted: Hunt) => parentPort?.postMessage(hunt(wanted)));
