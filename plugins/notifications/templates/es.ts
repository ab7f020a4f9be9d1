import { sentence, type Language } from './template.ts';

export const spanish: Language = {
  words: {
    seeOrder: 'Ver el pedido',
    footer:
      'Recibe este mensaje por una recogida con ReturnIt. Puede cambiar los canales y las horas de silencio en sus ajustes.',
  },
  reasons: {
    card_declined: 'la tarjeta fue rechazada',
    insufficient_funds: 'no hay fondos suficientes',
    expired_card: 'la tarjeta ha caducado',
    card_expired: 'la tarjeta ha caducado',
    amount_over_limit: 'el importe supera el límite de la tarjeta',
    nobody_home: 'nadie abrió',
    not_ready: 'los paquetes no estaban listos',
    refused: 'no fueron entregados',
    wrong_address: 'no se encontró la dirección',
    no_access: 'no había acceso',
    too_large: 'los paquetes son demasiado grandes',
    damaged: 'los paquetes están dañados',
    no_driver: 'no había ningún conductor libre',
    other: '',
    suspended: 'su cuenta está suspendida',
    silent: 'no hemos sabido nada de su teléfono',
    withdrawn: 'fue retirada',
    reassigned: 'se encarga otro conductor',
    cancelled: 'el pedido está cancelado',
  },
  documents: {
    licence: 'permiso de conducir',
    insurance: 'seguro',
    registration: 'permiso de circulación',
    identity: 'documento de identidad',
  },
  templates: {
    'order.created': (_facts, { window, money }) => ({
      title: 'Tenemos su reserva',
      paragraphs: [
        `Su recogida está reservada${window === '' ? '' : `: ${window}`}.`,
        `Comprobamos el pago${money === '' ? '' : ` de ${money}`} y después buscamos un conductor.`,
      ],
      short: `Su recogida está reservada${window === '' ? '' : `: ${window}`}.`,
    }),
    'order.scheduled': ({ attempt }, { window }) => ({
      title: (attempt ?? 1) > 1 ? 'Su nueva recogida está confirmada' : 'Su recogida está confirmada',
      paragraphs: [
        'El pago está reservado. Ahora buscamos un conductor.',
        ...(window === '' ? [] : [`Su recogida: ${window}.`]),
      ],
      short: `Su recogida está confirmada${window === '' ? '' : `: ${window}`}.`,
    }),
    'order.assigned': (_facts, { window }) => ({
      title: 'Un conductor se encarga de su pedido',
      paragraphs: [
        ...(window === '' ? [] : [`Su recogida: ${window}.`]),
        'Puede ver dónde está su conductor hasta que lleguen sus paquetes.',
      ],
      short: 'Un conductor se encarga de su pedido. Vea en la app dónde está.',
    }),
    'order.unassigned': () => ({
      title: 'Buscamos otro conductor',
      paragraphs: ['Su conductor no puede venir. Buscamos otro; no tiene que hacer nada.'],
      short: 'Su conductor no puede venir. Buscamos otro.',
    }),
    'order.started': () => ({
      title: 'Su conductor está en camino',
      paragraphs: ['Tenga sus paquetes preparados, por favor.'],
      short: 'Su conductor está en camino. Tenga sus paquetes preparados.',
    }),
    'order.arrived': () => ({
      title: 'Su conductor ha llegado',
      paragraphs: ['Su conductor está en su puerta. Entregue sus paquetes, por favor.'],
      short: 'Su conductor está en su puerta.',
    }),
    'order.picked_up': () => ({
      title: 'Sus paquetes están a bordo',
      paragraphs: ['El conductor ha recogido sus paquetes.'],
      short: 'Sus paquetes han sido recogidos.',
    }),
    'order.pickup_failed': ({ attemptsLeft, reason: code }, { reason }) => ({
      title: 'No pudimos recoger sus paquetes',
      paragraphs: [
        code === 'no_driver'
          ? 'Lo sentimos: no había ningún conductor libre en su franja horaria.'
          : `Nuestro conductor estuvo con usted y no pudo recoger sus paquetes.${sentence('Motivo', reason)}`,
        attemptsLeft === 0
          ? 'No hay más intentos para este pedido. Cancélelo o consúltenos.'
          : 'Elija otra hora: abra el pedido y pulse «Reprogramar». Mientras tanto el pedido espera; allí también puede cancelarlo.',
      ],
      short:
        attemptsLeft === 0
          ? 'No pudimos recoger sus paquetes y no hay más intentos.'
          : 'No pudimos recoger sus paquetes. Abra el pedido y elija otra hora.',
    }),
    'order.delivered': () => ({
      title: 'Sus paquetes han llegado',
      paragraphs: ['El conductor ha entregado sus paquetes.'],
      short: 'Sus paquetes han llegado.',
    }),
    'order.completed': () => ({
      title: 'Todo listo',
      paragraphs: ['Su devolución ha sido aceptada. Gracias.'],
      short: 'Todo listo: su devolución ha sido aceptada.',
    }),
    'order.cancelled': (_facts, { reason }) => ({
      title: 'Su pedido está cancelado',
      paragraphs: [
        `Su pedido está cancelado.${sentence('Motivo', reason)}`,
        'Se libera lo que estaba reservado y no se debe.',
      ],
      short: 'Su pedido está cancelado.',
    }),
    'payment.declined': (_facts, { reason }) => ({
      title: 'Su pago fue rechazado',
      paragraphs: [
        `El pago de su recogida fue rechazado.${sentence('Motivo', reason)}`,
        'Reserve de nuevo con otro medio de pago, por favor.',
      ],
      short: 'Su pago fue rechazado. Reserve de nuevo con otro medio de pago.',
    }),
    'payment.failed': () => ({
      title: 'No pudimos reservar su pago',
      paragraphs: [
        'El proveedor de pagos no respondió durante horas. Si ha reservado algo, haremos que se libere.',
        'Reserve de nuevo, por favor.',
      ],
      short: 'No pudimos reservar su pago. Reserve de nuevo.',
    }),
    'payment.captured': ({ orderId }, { money }) => ({
      title: 'Su recibo',
      paragraphs: [
        `Hemos cobrado ${money === '' ? 'lo reservado' : money} por su recogida.`,
        ...(orderId === null ? [] : [`Pedido ${orderId}`]),
      ],
      short: `Hemos cobrado ${money === '' ? 'lo reservado' : money} por su recogida.`,
    }),
    'payment.refunded': ({ orderId }, { money }) => ({
      title: 'Le devolvemos dinero',
      paragraphs: [
        `Hemos devuelto ${money === '' ? 'su dinero' : money} a su medio de pago. Puede tardar unos días en llegar.`,
        ...(orderId === null ? [] : [`Pedido ${orderId}`]),
      ],
      short: `Le hemos devuelto ${money === '' ? 'su dinero' : money}.`,
    }),
    'driver.unavailable': () => ({
      title: 'Seguimos buscando un conductor',
      paragraphs: ['Ahora no hay ningún conductor libre cerca. Seguimos buscando en su horario de recogida.'],
      short: 'Ahora no hay ningún conductor libre. Seguimos buscando.',
    }),
    'driver.assigned': () => ({
      title: 'Una nueva recogida para usted',
      paragraphs: ['Abra el pedido para ver dónde y cuándo.'],
      short: 'Una nueva recogida para usted. Abra el pedido para ver dónde y cuándo.',
    }),
    'driver.unassigned': (_facts, { reason }) => ({
      title: 'Una recogida ya no es suya',
      paragraphs: [`Se ha quitado una recogida de su lista.${sentence('Motivo', reason)}`],
      short: 'Se ha quitado una recogida de su lista.',
    }),
    'driver.order_cancelled': () => ({
      title: 'Una recogida está cancelada',
      paragraphs: ['El pedido está cancelado: no tiene que ir.'],
      short: 'Una de sus recogidas está cancelada.',
    }),
    'driver.offered': (_facts, { time }) => ({
      title: 'Se le ofrece una recogida',
      paragraphs: [`Acéptela o rechácela en la app${time === '' ? '' : ` hasta las ${time}`}.`],
      short: `Se le ofrece una recogida${time === '' ? '' : ` hasta las ${time}`}.`,
    }),
    'driver.approved': () => ({
      title: 'Puede empezar',
      paragraphs: ['Su registro está aprobado. Empiece un turno y recibirá recogidas.'],
      short: 'Su registro está aprobado. Puede empezar un turno.',
    }),
    'driver.suspended': (_facts, { reason }) => ({
      title: 'Su cuenta está suspendida',
      paragraphs: [`De momento no recibe recogidas.${sentence('Motivo', reason)}`, 'Pregúntenos qué hacer, por favor.'],
      short: 'Su cuenta de conductor está suspendida. Pregúntenos qué hacer.',
    }),
    'driver.document_expiring': (_facts, { document, date }) => ({
      title: 'Un documento suyo caduca',
      paragraphs: [
        `${document === '' ? 'Un documento' : `Su documento «${document}»`} caduca ${date === '' ? 'pronto' : `el ${date}`}.`,
        'Envíenos uno nuevo a tiempo: sin él no recibe recogidas.',
      ],
      short: `${document === '' ? 'Un documento' : `"${document}"`} caduca ${date === '' ? 'pronto' : `el ${date}`}. Envíenos uno nuevo.`,
    }),
    'webhook.endpoint_disabled': ({ host }) => ({
      title: 'Su webhook está desactivado',
      paragraphs: [
        `Su servidor ${host === null ? '' : `${host} `}no acepta nuestros mensajes; ya no le enviamos ninguno.`,
        'Repárelo, active de nuevo el webhook y haga que se envíe otra vez lo perdido.',
      ],
      short: 'Su webhook está desactivado: su servidor no aceptaba nuestros mensajes.',
    }),
  },
};
