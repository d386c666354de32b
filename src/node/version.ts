/** The version of Redis whose commands and error texts the node follows; clients look at it. */
export const REDIS_VERSION = '7.2.5';
