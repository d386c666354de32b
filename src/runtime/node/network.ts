/** TCP. Connections have Nagle's algorithm off and keep-alive probes on. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import {
  SystemError,
  type Address,
  type ConnectAttempt,
  type ConnectHandler,
  type ListenHandler,
  type Listener,
  type Network,
} from '../ports.ts';
import { connectionOver, toSystemError } from './connection.ts';

/** Connections that wait to be accepted; the kernel caps it at its own limit. */
const BACKLOG = 4096;
const KEEP_ALIVE_MS = 300_000;

export const network: Network = {
  listen(address: Address, handler: ListenHandler): void {
    const server = createServer({
      allowHalfOpen: true,
      pauseOnConnect: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
    });
    server.on('error', (error) => handler.onError(toSystemError(error)));
    server.on('connection', (socket) => {
      const connection = connectionOver(socket);
      if (connection !== undefined) handler.onConnection(connection);
    });
    server.listen({ host: address.host, port: address.port, backlog: BACKLOG }, () => {
      handler.onListening(listenerOver(server));
    });
  },

  connect(address: Address, handler: ConnectHandler): ConnectAttempt {
    const socket = connect({
      host: address.host,
      port: address.port,
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
    });
    // A paused socket does not begin to read when it connects: the connection does.
    socket.pause();
    const onError = (error: NodeJS.ErrnoException): void => handler.onError(toSystemError(error));
    socket.once('error', onError);
    socket.once('connect', () => {
      socket.removeListener('error', onError);
      onConnected(socket, handler);
    });
    return {
      cancel: () => {
        if (!socket.connecting) return;
        socket.removeListener('error', onError);
        socket.on('error', () => {});
        socket.destroy();
      },
    };
  },
};

function onConnected(socket: Socket, handler: ConnectHandler): void {
  const connection = connectionOver(socket);
  if (connection === undefined) {
    handler.onError(new SystemError('ECONNRESET', 'the connection was closed as it was made'));
  } else {
    handler.onConnect(connection);
  }
}

function listenerOver(server: Server): Listener {
  const bound = server.address();
  const address =
    bound === null || typeof bound === 'string'
      ? { host: '', port: 0 }
      : { host: bound.address, port: bound.port };
  return {
    address,
    close: (done) => {
      // The server calls back only when its last connection has gone; the port is free at once.
      server.close();
      setImmediate(done);
    },
  };
}
