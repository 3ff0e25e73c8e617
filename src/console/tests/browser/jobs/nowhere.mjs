// Whoever follows an old link is told so, and finds on from there by the navigation.
import assert from 'node:assert/strict';

export const visitor = 'all';

export async function run({ page, base, shown }) {
  const answer = await page.goto(`${base}/console/no-such-page?lang=de`);
  assert.equal(answer.status(), 404);
  assert.ok(await page.locator('nav.places a').count() > 5);
  await shown('missing');
}
