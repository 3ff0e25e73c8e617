// A clerk follows a payment from the claim to the cash office; the cash office gives some of it back, which takes two: one of them may not want it. And
// it says what a line of a bank statement is that fits nothing.
import assert from 'node:assert/strict';

export const visitor = 'clerk';

export async function run({ page, base, facts, shown, leads, as }) {
  await page.goto(`${base}/console/payments?lang=de`);
  await shown('list');
  await leads(() => page.locator(`a[href*="${facts.payment}"]`).first().click());
  const line = await page.locator('main').innerText();
  for (const step of ['Sollstellung', 'Zahlung begonnen', 'Zahlungseingang gebucht', '123,45']) {
    assert.ok(line.includes(step), `${step}: ${line}`);
  }
  assert.equal(await page.getByText('Erstattung beantragen').count(), 0);
  await shown('followed');
  const cashier = await as('cashier');
  const asks = async () => {
    await cashier.page.goto(`${base}/console/payments/${facts.payment}?lang=de`);
    await cashier.page.getByText('Erstattung beantragen').click();
    await cashier.page.getByLabel('Betrag in Euro').fill('23,45');
    await cashier.page.getByLabel(/^Grund/).fill('zu viel berechnet');
    await cashier.leads(() => cashier.page.getByRole('button', { name: 'Beantragen' }).click());
    assert.match(await cashier.page.locator('[role=status]').innerText(), /zweite Person/);
  };
  await asks();
  await cashier.shown('asked');
  const second = await as('all');
  await second.page.goto(`${base}/console/payments/${facts.payment}?lang=de`);
  await second.page.locator('summary', { hasText: 'Ablehnen' }).click();
  await second.shown('declining');
  await second.page.getByLabel(/^Warum/).fill('richtig berechnet');
  await second.leads(() => second.page.getByRole('button', { name: 'Ablehnen' }).click());
  assert.match(await second.page.locator('[role=status]').innerText(), /Abgelehnt/);
  await asks();
  await second.page.goto(`${base}/console/payments/${facts.payment}?lang=de`);
  await second.leads(() => second.page.getByRole('button', { name: 'Zustimmen und auszahlen' }).click());
  assert.match(await second.page.locator('[role=status]').innerText(), /Zugestimmt/);
  await cashier.page.goto(`${base}/console/statement-lines?lang=de`);
  await cashier.shown('lines');
  await cashier.leads(() => cashier.page.locator(`a[href*="${facts.line}"]`).click());
  await cashier.shown('line');
  await cashier.page.getByLabel(/beiseitelegen/).check();
  await cashier.leads(() => cashier.page.getByRole('button', { name: 'Entscheiden' }).click());
  assert.match(await cashier.page.locator('[role=status]').innerText(), /Entschieden/);
  await cashier.shown('put-aside');
}
