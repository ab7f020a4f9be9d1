import { sentence, type Language } from './template.ts';

export const german: Language = {
  words: {
    seeOrder: 'Auftrag ansehen',
    footer:
      'Sie erhalten diese Nachricht wegen einer Abholung mit ReturnIt. Kanäle und Ruhezeiten ändern Sie in den Einstellungen.',
  },
  reasons: {
    card_declined: 'die Karte wurde abgelehnt',
    insufficient_funds: 'das Konto ist nicht gedeckt',
    expired_card: 'die Karte ist abgelaufen',
    card_expired: 'die Karte ist abgelaufen',
    amount_over_limit: 'der Betrag liegt über der Grenze der Karte',
    nobody_home: 'niemand hat geöffnet',
    not_ready: 'die Pakete waren nicht bereit',
    refused: 'sie wurden nicht übergeben',
    wrong_address: 'die Adresse wurde nicht gefunden',
    no_access: 'es gab keinen Zugang',
    too_large: 'die Pakete sind zu groß',
    damaged: 'die Pakete sind beschädigt',
    no_driver: 'kein Fahrer war frei',
    other: '',
    suspended: 'Ihr Konto ist gesperrt',
    silent: 'wir haben von Ihrem Telefon nichts gehört',
    withdrawn: 'sie wurde zurückgezogen',
    reassigned: 'ein anderer Fahrer übernimmt sie',
    cancelled: 'der Auftrag ist storniert',
  },
  documents: {
    licence: 'Führerschein',
    insurance: 'Versicherung',
    registration: 'Fahrzeugschein',
    identity: 'Ausweis',
  },
  templates: {
    'order.created': (_facts, { window, money }) => ({
      title: 'Wir haben Ihre Buchung',
      paragraphs: [
        `Ihre Abholung ist gebucht${window === '' ? '' : `: ${window}`}.`,
        `Wir prüfen die Zahlung${money === '' ? '' : ` von ${money}`} und suchen dann einen Fahrer.`,
      ],
      short: `Ihre Abholung ist gebucht${window === '' ? '' : `: ${window}`}.`,
    }),
    'order.scheduled': ({ attempt }, { window }) => ({
      title: (attempt ?? 1) > 1 ? 'Ihre neue Abholung ist bestätigt' : 'Ihre Abholung ist bestätigt',
      paragraphs: [
        'Die Zahlung ist reserviert. Als Nächstes kommt ein Fahrer dazu.',
        ...(window === '' ? [] : [`Ihre Abholung: ${window}.`]),
      ],
      short: `Ihre Abholung ist bestätigt${window === '' ? '' : `: ${window}`}.`,
    }),
    'order.assigned': (_facts, { window }) => ({
      title: 'Ein Fahrer übernimmt Ihren Auftrag',
      paragraphs: [
        ...(window === '' ? [] : [`Ihre Abholung: ${window}.`]),
        'Sie sehen, wo Ihr Fahrer ist, bis Ihre Pakete angekommen sind.',
      ],
      short: 'Ein Fahrer übernimmt Ihren Auftrag. In der App sehen Sie, wo er ist.',
    }),
    'order.unassigned': () => ({
      title: 'Wir suchen einen anderen Fahrer',
      paragraphs: ['Ihr Fahrer kann nicht kommen. Wir suchen einen anderen; Sie müssen nichts tun.'],
      short: 'Ihr Fahrer kann nicht kommen. Wir suchen einen anderen.',
    }),
    'order.started': () => ({
      title: 'Ihr Fahrer ist unterwegs',
      paragraphs: ['Bitte halten Sie Ihre Pakete bereit.'],
      short: 'Ihr Fahrer ist unterwegs. Bitte halten Sie Ihre Pakete bereit.',
    }),
    'order.arrived': () => ({
      title: 'Ihr Fahrer ist da',
      paragraphs: ['Ihr Fahrer steht vor der Tür. Bitte übergeben Sie Ihre Pakete.'],
      short: 'Ihr Fahrer steht vor der Tür.',
    }),
    'order.picked_up': () => ({
      title: 'Ihre Pakete sind an Bord',
      paragraphs: ['Der Fahrer hat Ihre Pakete abgeholt.'],
      short: 'Ihre Pakete sind abgeholt.',
    }),
    'order.pickup_failed': ({ attemptsLeft, reason: code }, { reason }) => ({
      title: 'Wir konnten Ihre Pakete nicht abholen',
      paragraphs: [
        code === 'no_driver'
          ? 'Es tut uns leid: In Ihrem Zeitfenster war kein Fahrer frei.'
          : `Unser Fahrer war bei Ihnen und konnte Ihre Pakete nicht abholen.${sentence('Grund', reason)}`,
        attemptsLeft === 0
          ? 'Für diesen Auftrag gibt es keinen weiteren Versuch. Stornieren Sie ihn oder fragen Sie uns.'
          : 'Wählen Sie eine neue Zeit: Öffnen Sie den Auftrag und nehmen Sie „Neu planen“. Bis dahin wartet er; stornieren können Sie ihn dort auch.',
      ],
      short:
        attemptsLeft === 0
          ? 'Wir konnten Ihre Pakete nicht abholen; es gibt keinen weiteren Versuch.'
          : 'Wir konnten Ihre Pakete nicht abholen. Im Auftrag wählen Sie eine neue Zeit.',
    }),
    'order.delivered': () => ({
      title: 'Ihre Pakete sind angekommen',
      paragraphs: ['Der Fahrer hat Ihre Pakete übergeben.'],
      short: 'Ihre Pakete sind angekommen.',
    }),
    'order.completed': () => ({
      title: 'Alles erledigt',
      paragraphs: ['Ihre Rücksendung wurde angenommen. Danke.'],
      short: 'Alles erledigt: Ihre Rücksendung wurde angenommen.',
    }),
    'order.cancelled': (_facts, { reason }) => ({
      title: 'Ihr Auftrag ist storniert',
      paragraphs: [
        `Ihr Auftrag ist storniert.${sentence('Grund', reason)}`,
        'Was reserviert und nicht fällig ist, wird freigegeben.',
      ],
      short: 'Ihr Auftrag ist storniert.',
    }),
    'payment.declined': (_facts, { reason }) => ({
      title: 'Ihre Zahlung wurde abgelehnt',
      paragraphs: [
        `Die Zahlung für Ihre Abholung wurde abgelehnt.${sentence('Grund', reason)}`,
        'Bitte buchen Sie mit einem anderen Zahlungsmittel.',
      ],
      short: 'Ihre Zahlung wurde abgelehnt. Bitte buchen Sie mit einem anderen Zahlungsmittel.',
    }),
    'payment.failed': () => ({
      title: 'Wir konnten Ihre Zahlung nicht reservieren',
      paragraphs: [
        'Der Zahlungsdienst hat stundenlang nicht geantwortet. Hat er etwas reserviert, lassen wir es freigeben.',
        'Bitte buchen Sie noch einmal.',
      ],
      short: 'Wir konnten Ihre Zahlung nicht reservieren. Bitte buchen Sie noch einmal.',
    }),
    'payment.captured': ({ orderId }, { money }) => ({
      title: 'Ihre Quittung',
      paragraphs: [
        `Wir haben ${money === '' ? 'den reservierten Betrag' : money} für Ihre Abholung abgebucht.`,
        ...(orderId === null ? [] : [`Auftrag ${orderId}`]),
      ],
      short: `Wir haben ${money === '' ? 'den reservierten Betrag' : money} für Ihre Abholung abgebucht.`,
    }),
    'payment.refunded': ({ orderId }, { money }) => ({
      title: 'Sie bekommen Geld zurück',
      paragraphs: [
        `Wir haben ${money === '' ? 'Ihr Geld' : money} auf Ihr Zahlungsmittel zurückgezahlt. Es kann einige Tage dauern.`,
        ...(orderId === null ? [] : [`Auftrag ${orderId}`]),
      ],
      short: `Wir haben Ihnen ${money === '' ? 'Ihr Geld' : money} zurückgezahlt.`,
    }),
    'driver.unavailable': () => ({
      title: 'Wir suchen noch einen Fahrer',
      paragraphs: ['Gerade ist kein Fahrer in Ihrer Nähe frei. Wir suchen in Ihrem Abholfenster weiter.'],
      short: 'Gerade ist kein Fahrer frei. Wir suchen weiter.',
    }),
    'driver.assigned': () => ({
      title: 'Eine neue Abholung für Sie',
      paragraphs: ['Öffnen Sie den Auftrag: Dort steht, wo und wann.'],
      short: 'Eine neue Abholung für Sie. Im Auftrag steht, wo und wann.',
    }),
    'driver.unassigned': (_facts, { reason }) => ({
      title: 'Eine Abholung gehört nicht mehr Ihnen',
      paragraphs: [`Eine Abholung wurde von Ihrer Liste genommen.${sentence('Grund', reason)}`],
      short: 'Eine Abholung wurde von Ihrer Liste genommen.',
    }),
    'driver.order_cancelled': () => ({
      title: 'Eine Abholung ist storniert',
      paragraphs: ['Der Auftrag ist storniert: Sie müssen nicht hinfahren.'],
      short: 'Eine Ihrer Abholungen ist storniert.',
    }),
    'driver.offered': (_facts, { time }) => ({
      title: 'Ihnen wird eine Abholung angeboten',
      paragraphs: [`Nehmen Sie sie in der App${time === '' ? '' : ` bis ${time}`} an oder lehnen Sie sie ab.`],
      short: `Ihnen wird eine Abholung angeboten${time === '' ? '' : `, bis ${time}`}.`,
    }),
    'driver.approved': () => ({
      title: 'Sie können anfangen',
      paragraphs: ['Ihre Anmeldung ist freigegeben. Beginnen Sie eine Schicht, dann bekommen Sie Abholungen.'],
      short: 'Ihre Anmeldung ist freigegeben. Sie können eine Schicht beginnen.',
    }),
    'driver.suspended': (_facts, { reason }) => ({
      title: 'Ihr Konto ist gesperrt',
      paragraphs: [
        `Sie bekommen vorerst keine Abholungen.${sentence('Grund', reason)}`,
        'Bitte fragen Sie uns, was zu tun ist.',
      ],
      short: 'Ihr Fahrerkonto ist gesperrt. Bitte fragen Sie uns, was zu tun ist.',
    }),
    'driver.document_expiring': (_facts, { document, date }) => ({
      title: 'Ein Dokument läuft ab',
      paragraphs: [
        `${document === '' ? 'Ein Dokument' : `Ihr Dokument „${document}“`} läuft ${date === '' ? 'bald' : `am ${date}`} ab.`,
        'Senden Sie uns rechtzeitig ein neues: Ohne bekommen Sie keine Abholungen.',
      ],
      short: `${document === '' ? 'Ein Dokument' : `"${document}"`} läuft ${date === '' ? 'bald' : `am ${date}`} ab. Bitte senden Sie ein neues.`,
    }),
    'webhook.endpoint_disabled': ({ host }) => ({
      title: 'Ihr Webhook ist abgeschaltet',
      paragraphs: [
        `Ihr Server ${host === null ? '' : `${host} `}nimmt unsere Nachrichten nicht an; wir senden ihm keine mehr.`,
        'Reparieren Sie ihn, schalten Sie den Webhook wieder ein und lassen Sie das Versäumte noch einmal senden.',
      ],
      short: 'Ihr Webhook ist abgeschaltet: Ihr Server hat unsere Nachrichten nicht angenommen.',
    }),
  },
};
