import assert from "node:assert/strict";
import { test } from "node:test";
import { clientSubnet } from "./client-subnet.ts";

const resolver = "198.51.100.53";

test("the subnet that is named counts, and the answer is good for as much of it as decides", () => {
  const cases: [realRemote: string, address: string, scope: number][] = [
    ["166.111.4.0/24", "166.111.4.0", 24],
    ["166.111.0.0/16", "166.111.0.0", 16],
    ["166.111.4.77/32", "166.111.4.0", 24],
    ["166.111.4.64/26", "166.111.4.0", 24],
    ["2001:da8:200::/48", "2001:da8:200::", 48],
    ["2001:da8::/32", "2001:da8::", 32],
    ["2001:da8:200:77::/56", "2001:da8:200::", 48],
    ["2001:da8::5/128", "2001:da8:0::", 48],
    ["2001:da8:200:77:1:2:3:4/128", "2001:da8:200::", 48],
    ["2001::1:2:3:4:5:6/128", "2001:0:1::", 48],
    ["::1/128", "0:0:0::", 48],
  ];
  for (const [realRemote, address, scope] of cases) {
    assert.deepEqual(clientSubnet(resolver, realRemote), { address, scope }, realRemote);
  }
});

test("without a subnet, or with one that nobody is to know, the resolver counts", () => {
  assert.deepEqual(clientSubnet(resolver, `${resolver}/32`), { address: resolver, scope: 32 });
  for (const none of [undefined, "", "0.0.0.0/0", "::/0", "nonsense", "1.2.3.4", "1.2.3.4/x"]) {
    assert.deepEqual(clientSubnet(resolver, none), { address: resolver, scope: 0 }, none);
  }
});
