// SPDX-License-Identifier: BSD-2-Clause
// A small application on Node's own HTTP server, without any package: what real ones do behind a proxy. The same as app.py.
//
//   node app.js ADDRESS FOLDER    ADDRESS: host:port (port 0: any) or unix:PATH; prints "listening ADDRESS"
//
//   /            a page that loads assets and opens a WebSocket; /assets/... and /file from FOLDER, ranges too
//   /echo        what came: request line, fields, "body LENGTH SHA256"
//   /old         301 to /new; /cookies sets two and shows those that came; /headers/N N bytes of fields
//   /data/N      N bytes, block FOLDER/block again and again; /data/N?chunked
//   /ws          a WebSocket that echoes; /until is answered once somebody has asked for /release
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const path = require('path');

const [address, folder] = process.argv.slice(2);
const block = fs.readFileSync(path.join(folder, 'block'));
const types = { '.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript', '.svg': 'image/svg+xml' };
let waiting = [];
let done = false;

function text(res, status, body, fields) {
	res.writeHead(status, { 'Content-Type': 'text/plain', ...fields });
	res.end(body);
}

function file(req, res, name) {
	const body = fs.readFileSync(path.join(folder, name));
	const range = /^bytes=(\d+)-(\d*)$/.exec(req.headers.range || '');
	const fields = { 'Content-Type': types[path.extname(name)] || 'application/octet-stream', 'Accept-Ranges': 'bytes' };
	if (!range) {
		res.writeHead(200, { ...fields, 'Content-Length': body.length });
		return res.end(req.method === 'HEAD' ? '' : body);
	}
	const from = Number(range[1]), to = range[2] === '' ? body.length - 1 : Math.min(Number(range[2]), body.length - 1);
	if (from > to)
		return text(res, 416, '', { 'Content-Range': `bytes */${body.length}` });
	res.writeHead(206, { ...fields, 'Content-Range': `bytes ${from}-${to}/${body.length}`, 'Content-Length': to - from + 1 });
	res.end(body.subarray(from, to + 1));
}

function data(res, left, chunked) {
	res.writeHead(200, chunked ? {} : { 'Content-Length': left });
	(function more() {
		while (left > 0) {
			const piece = left < block.length ? block.subarray(0, left) : block;
			left -= piece.length;
			if (!res.write(piece))
				return res.once('drain', more);
		}
		res.end();
	})();
}

function echo(req, res) {
	const hash = crypto.createHash('sha256');
	let length = 0;
	req.on('data', (piece) => { hash.update(piece); length += piece.length; });
	req.on('end', () => {
		let said = `${req.method} ${req.url}\n`;
		for (let i = 0; i < req.rawHeaders.length; i += 2)
			said += `${req.rawHeaders[i]}: ${req.rawHeaders[i + 1]}\n`;
		text(res, 200, `${said}body ${length} ${hash.digest('hex')}\n`);
	});
}

// Nor does it close a connection that is kept when a request is on its way that cannot be sent twice.
const server = http.createServer({ keepAliveTimeout: 600000, maxHeaderSize: 60000 }, (req, res) => {
	const [where, query] = req.url.split('?');
	let part;
	if (where === '/')
		return file(req, res, 'index.html');
	if (where === '/file' || /^\/assets\/[a-z.]+$/.test(where))
		return file(req, res, where);
	if (where === '/echo')
		return echo(req, res);
	if (where === '/old')
		return text(res, 301, '', { Location: '/new' });
	if (where === '/new')
		return text(res, 200, 'new\n');
	if (where === '/cookies')
		return text(res, 200, `${req.headers.cookie || ''}\n`, { 'Set-Cookie': ['a=1; Path=/', 'b=2; Path=/; HttpOnly'] });
	if (where === '/until')
		return done ? text(res, 200, 'done\n') : waiting.push(res);
	if (where === '/release') {
		done = true;
		waiting.splice(0).forEach((other) => text(other, 200, 'done\n'));
		return text(res, 200, 'released\n');
	}
	if ((part = /^\/headers\/(\d+)$/.exec(where)))
		return text(res, 200, `${Object.keys(req.headers).length}\n`, { 'X-Large': 'x'.repeat(Number(part[1])) });
	if ((part = /^\/data\/(\d+)$/.exec(where)))
		return data(res, Number(part[1]), query === 'chunked');
	text(res, 404, 'what?\n');
});

// RFC 6455, as much as an echo needs.
function frame(opcode, body) {
	let head;
	if (body.length < 126)
		head = Buffer.from([0x80 | opcode, body.length]);
	else if (body.length < 65536)
		head = Buffer.from([0x80 | opcode, 126, body.length >> 8, body.length & 255]);
	else {
		head = Buffer.alloc(10);
		head[0] = 0x80 | opcode;
		head[1] = 127;
		head.writeBigUInt64BE(BigInt(body.length), 2);
	}
	return Buffer.concat([head, body]);
}

function unframe(got) {
	if (got.length < 2)
		return null;
	let length = got[1] & 127, at = 2;
	if (length === 126) {
		if (got.length < 4)
			return null;
		length = got.readUInt16BE(2);
		at = 4;
	} else if (length === 127) {
		if (got.length < 10)
			return null;
		length = Number(got.readBigUInt64BE(2));
		at = 10;
	}
	if (got.length < at + 4 + length)
		return null;
	const mask = got.subarray(at, at + 4), body = Buffer.from(got.subarray(at + 4, at + 4 + length));
	for (let i = 0; i < body.length; i++)
		body[i] ^= mask[i & 3];
	return { last: (got[0] & 0x80) !== 0, opcode: got[0] & 15, body, rest: got.subarray(at + 4 + length) };
}

server.on('upgrade', (req, socket, first) => {
	const accept = crypto.createHash('sha1').update(req.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
	let got = first, parts = [], kind = 0, f;
	socket.setNoDelay(true);
	socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
	socket.on('error', () => {});
	socket.on('data', (piece) => {
		got = Buffer.concat([got, piece]);
		while ((f = unframe(got))) {
			got = f.rest;
			if (f.opcode === 8)
				return socket.end(frame(8, f.body));
			if (f.opcode === 9)
				socket.write(frame(10, f.body));
			if (f.opcode > 2)
				continue;
			// Browsers send a large message in several frames.
			kind = f.opcode || kind;
			parts.push(f.body);
			if (f.last)
				socket.write(frame(kind, Buffer.concat(parts.splice(0))));
		}
	});
});

if (address.startsWith('unix:'))
	server.listen(address.slice(5), () => console.log(`listening ${address}`));
else
	server.listen(Number(address.split(':')[1]), address.split(':')[0], () => console.log(`listening 127.0.0.1:${server.address().port}`));
