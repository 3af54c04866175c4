/** The texts of <feedback-buttons> in English, German, French, Spanish and Japanese. */

const ENGLISH = {
  label: "Rate this answer",
  positive: "Good answer",
  negative: "Bad answer",
  stars: ["1 star", "2 stars", "3 stars", "4 stars", "5 stars"],
  reasons: "What was wrong?",
  comment: "Anything to add?",
  send: "Send",
  close: "Close",
  open: "Add a comment",
  edit: "Edit comment",
  resume: "Continue your comment",
  draft: "Your comment is not sent yet.",
  thanks: "Thank you.",
  commented: "Thank you. Your comment is saved.",
  retracted: "Your feedback was removed.",
  expired: "This feedback link has expired. Thanks anyway!",
  failed: "That was not saved.",
  offline: "The server could not be reached. Is this device online?",
  busy: "There is too much feedback at the moment. Please try again later.",
  final: "Your first feedback stands and cannot be changed.",
  unknown: "This feedback link is not valid.",
  refused: "The server does not accept this feedback.",
  broken: "The server has a problem. Please try again later.",
};

const GERMAN = {
  label: "Diese Antwort bewerten",
  positive: "Gute Antwort",
  negative: "Schlechte Antwort",
  stars: ["1 Stern", "2 Sterne", "3 Sterne", "4 Sterne", "5 Sterne"],
  reasons: "Was war falsch?",
  comment: "Möchten Sie etwas hinzufügen?",
  send: "Senden",
  close: "Schließen",
  open: "Kommentar hinzufügen",
  edit: "Kommentar bearbeiten",
  resume: "Kommentar fortsetzen",
  draft: "Ihr Kommentar ist noch nicht gesendet.",
  thanks: "Vielen Dank.",
  commented: "Vielen Dank. Ihr Kommentar ist gespeichert.",
  retracted: "Ihr Feedback wurde entfernt.",
  expired: "Dieser Feedback-Link ist abgelaufen. Trotzdem vielen Dank!",
  failed: "Das wurde nicht gespeichert.",
  offline: "Der Server ist nicht erreichbar. Ist dieses Gerät online?",
  busy: "Im Moment kommt zu viel Feedback an. Bitte versuchen Sie es später noch einmal.",
  final: "Ihr erstes Feedback gilt und kann nicht geändert werden.",
  unknown: "Dieser Feedback-Link ist nicht gültig.",
  refused: "Der Server nimmt dieses Feedback nicht an.",
  broken: "Der Server hat ein Problem. Bitte versuchen Sie es später noch einmal.",
};

const FRENCH = {
  label: "Évaluer cette réponse",
  positive: "Bonne réponse",
  negative: "Mauvaise réponse",
  stars: ["1 étoile", "2 étoiles", "3 étoiles", "4 étoiles", "5 étoiles"],
  reasons: "Qu’est-ce qui n’allait pas ?",
  comment: "Souhaitez-vous ajouter quelque chose ?",
  send: "Envoyer",
  close: "Fermer",
  open: "Ajouter un commentaire",
  edit: "Modifier le commentaire",
  resume: "Reprendre le commentaire",
  draft: "Votre commentaire n’est pas encore envoyé.",
  thanks: "Merci.",
  commented: "Merci. Votre commentaire est enregistré.",
  retracted: "Votre avis a été supprimé.",
  expired: "Ce lien d’évaluation a expiré. Merci quand même !",
  failed: "Votre avis n’a pas été enregistré.",
  offline: "Le serveur est injoignable. Cet appareil est-il en ligne ?",
  busy: "Trop d’avis arrivent en ce moment. Veuillez réessayer plus tard.",
  final: "Votre premier avis est conservé et ne peut pas être modifié.",
  unknown: "Ce lien d’évaluation n’est pas valide.",
  refused: "Le serveur n’accepte pas cet avis.",
  broken: "Le serveur rencontre un problème. Veuillez réessayer plus tard.",
};

const SPANISH = {
  label: "Valorar esta respuesta",
  positive: "Buena respuesta",
  negative: "Mala respuesta",
  stars: ["1 estrella", "2 estrellas", "3 estrellas", "4 estrellas", "5 estrellas"],
  reasons: "¿Qué ha fallado?",
  comment: "¿Quiere añadir algo?",
  send: "Enviar",
  close: "Cerrar",
  open: "Añadir un comentario",
  edit: "Editar el comentario",
  resume: "Continuar el comentario",
  draft: "Su comentario aún no se ha enviado.",
  thanks: "Gracias.",
  commented: "Gracias. Su comentario se ha guardado.",
  retracted: "Su opinión se ha eliminado.",
  expired: "Este enlace de valoración ha caducado. ¡Gracias de todos modos!",
  failed: "No se ha guardado.",
  offline: "No se puede conectar con el servidor. ¿Tiene conexión este dispositivo?",
  busy: "Hay demasiadas opiniones en este momento. Inténtelo de nuevo más tarde.",
  final: "Su primera opinión se conserva y no se puede cambiar.",
  unknown: "Este enlace de valoración no es válido.",
  refused: "El servidor no acepta esta opinión.",
  broken: "El servidor tiene un problema. Inténtelo de nuevo más tarde.",
};

const JAPANESE = {
  label: "この回答を評価する",
  positive: "良い回答",
  negative: "良くない回答",
  stars: ["星1つ", "星2つ", "星3つ", "星4つ", "星5つ"],
  reasons: "どこに問題がありましたか?",
  comment: "ほかにご意見はありますか?",
  send: "送信",
  close: "閉じる",
  open: "コメントを追加",
  edit: "コメントを編集",
  resume: "コメントの続きを書く",
  draft: "コメントはまだ送信されていません。",
  thanks: "ありがとうございます。",
  commented: "ありがとうございます。コメントを保存しました。",
  retracted: "フィードバックを削除しました。",
  expired: "このフィードバックリンクの有効期限が切れています。ありがとうございました。",
  failed: "保存できませんでした。",
  offline: "サーバーに接続できません。端末はオンラインですか?",
  busy: "現在、フィードバックが集中しています。しばらくしてからもう一度お試しください。",
  final: "最初のフィードバックが有効で、変更できません。",
  unknown: "このフィードバックリンクは無効です。",
  refused: "このフィードバックは受け付けられません。",
  broken: "サーバーで問題が発生しました。しばらくしてからもう一度お試しください。",
};

/** The texts by language, a primary subtag of BCP 47. */
export const LANGUAGES = { en: ENGLISH, de: GERMAN, fr: FRENCH, es: SPANISH, ja: JAPANESE };

/** Returns the texts of a language such as `de-AT`; English if there are none. */
export function textsIn(language) {
  const [primary] = (language ?? "").toLowerCase().split("-");
  return Object.hasOwn(LANGUAGES, primary) ? LANGUAGES[primary] : ENGLISH;
}

/** Returns the language of an element: its own `lang`, or that of the closest ancestor, across shadow roots. */
export function languageOf(element) {
  for (let one = element; one; one = one.parentElement ?? one.getRootNode().host) {
    if (one.hasAttribute("lang")) return one.getAttribute("lang");
  }
  return "";
}

/** Returns the name of the text that explains an error of the server. */
export function reasonOf({ status }) {
  const known = { 0: "offline", 404: "unknown", 409: "final", 410: "expired", 429: "busy" };
  return known[status] ?? (status >= 500 ? "broken" : "refused");
}
