// Whoever follows an old link is told so, and finds on from there by the navigation, which is folded in where there is little room.
import assert from 'node:assert/strict';

export const visitor = 'all';

export async function run({ page, base, shown }) {
  const answer = await page.goto(`${base}/console/no-such-page?lang=de`);
  assert.equal(answer.status(), 404);
  assert.ok(await page.locator('nav.places a').count() > 5);
  await shown('missing');
  await page.goto(`${base}/console/messages?lang=de`);
  const place = page.locator('nav.places a', { hasText: 'Adapter' });
  assert.ok(await place.isVisible());
  await page.setViewportSize({ width: 390, height: 800 });
  const menu = page.locator('nav.places summary');
  assert.match(await menu.innerText(), /Nachrichten/);
  assert.ok(!(await place.isVisible()), 'folded in');
  await menu.click();
  await place.click();
  assert.match(page.url(), /\/adapters/);
}
