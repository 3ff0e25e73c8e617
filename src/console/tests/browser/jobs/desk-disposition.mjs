// Whoever looks after records bars one from destruction that the archive is done with, sees that its disposition says so, and lifts the bar.
import assert from 'node:assert/strict';

export const visitor = 'records-manager';

export async function run({ page, base, facts, shown, leads }) {
  const status = () => page.locator('[role=status]').innerText();
  await page.goto(`${base}/console/cases/${facts.case}?lang=de`);
  await page.locator('summary', { hasText: 'Löschsperre setzen' }).click();
  await shown('barring');
  await page.getByLabel('Grund', { exact: true }).fill('Klage');
  await leads(() => page.getByRole('button', { name: 'Löschsperre setzen' }).click());
  assert.match(await status(), /sperre/);
  await page.goto(`${base}/console/dispositions?lang=de`);
  await shown('list');
  await leads(() => page.locator(`a[href*="${facts.exchange}"]`).click());
  assert.match(await page.locator('main').innerText(), /model\.held/);
  await shown('disposition');
  await page.goto(`${base}/console/retention/holds?lang=de`);
  await shown('holds');
  await leads(() => page.locator(`a[href*="${facts.case}"]`).click());
  await page.locator('summary', { hasText: 'Löschsperre aufheben' }).click();
  await leads(() => page.getByRole('button', { name: 'Löschsperre aufheben' }).click());
  await page.goto(`${base}/console/retention/holds?lang=de`);
  assert.equal(await page.locator(`a[href*="${facts.case}"]`).count(), 0);
}
