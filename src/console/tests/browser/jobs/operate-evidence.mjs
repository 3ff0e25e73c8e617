// An auditor takes the evidence of a case along and verifies it.
import assert from 'node:assert/strict';

export const visitor = 'auditor';

export async function run({ page, base, facts, shown, leads }) {
  await page.goto(`${base}/console/evidence?lang=de`);
  await page.fill('#q', facts.case);
  await leads(() => page.locator('form.search button').click());
  await shown('found');
  const coming = page.waitForEvent('download');
  await page.locator('button', { hasText: 'Paket herunterladen' }).click();
  const bundle = await (await coming).path();
  await page.setInputFiles('#bundle', bundle);
  await leads(() => page.locator('form[action*="verify"] button').click());
  assert.match(await page.locator('[role=status]').innerText(), /unverändert/);
  await shown('verified');
}
