import { createAddressOf, parseTrustedProxies } from '../../../services/classifier/access/address';

const addressOf = (proxies: string, remoteAddress: string, forwarded?: string): string =>
  createAddressOf(parseTrustedProxies(proxies)!)({
    headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded },
    socket: { remoteAddress },
  });

describe('where a request comes from', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002:ffff::', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ])('%s counts as %s', (remote, counted) => {
    expect(addressOf('', remote)).toBe(counted);
  });

  it.each([
    // Nobody who may say so said it.
    ['', '192.0.2.1', '203.0.113.5', '192.0.2.1'],
    ['10.0.0.0/8', '192.0.2.1', '203.0.113.5', '192.0.2.1'],
    ['10.0.0.0/8', '10.1.2.3', '203.0.113.5', '203.0.113.5'],
    ['10.0.0.0/8', '::ffff:10.1.2.3', '203.0.113.5', '203.0.113.5'],
    // What the caller itself claims stands in front.
    ['10.0.0.0/8', '10.1.2.3', '198.51.100.1, 203.0.113.5', '203.0.113.5'],
    ['10.0.0.0/8', '10.1.2.3', '10.9.9.9, 203.0.113.5, 10.4.4.4', '203.0.113.5'],
    ['10.0.0.0/8', '10.1.2.3', '203.0.113.5:4711', '203.0.113.5'],
    ['fd00::/8, 10.0.0.7', 'fd00::1', '[2001:db8:1:2::3]:4711, 10.0.0.7', '2001:db8:1:2::/64'],
    // A proxy that does not say: itself.
    ['10.0.0.0/8', '10.1.2.3', 'unknown', '10.1.2.3'],
    ['10.0.0.0/8', '10.1.2.3', undefined, '10.1.2.3'],
  ])('behind proxies %s, from %s with X-Forwarded-For %s: %s', (proxies, remote, forwarded, counted) => {
    expect(addressOf(proxies, remote, forwarded)).toBe(counted);
  });

  it.each(['10.0.0.0/33', 'proxy.example', '10.0.0.0/8/8', '::/129', '10.0.0.0/x'])(
    'a list of proxies with %s is refused',
    (list) => {
      expect(parseTrustedProxies(list)).toBeUndefined();
    },
  );
});
