"""The texts of the pages in English, German, French, Spanish and Japanese, and the choice among them."""

from __future__ import annotations

from msgspec import Struct


class Texts(Struct, frozen=True, kw_only=True):
    """The texts of one language; names in braces are filled in."""

    question: str
    rating: str
    intro: str
    final: str
    given: str
    reply: str
    comment: str
    optional: str
    send: str
    good: str
    bad: str
    yes: str
    no: str
    nothing: str
    """The problem of an empty form."""
    not_possible: str
    """The problem of a score or value that the feedback key does not take; one of the next four follows."""
    choose: str
    between: str
    at_least: str
    at_most: str
    machine: str
    """The problem of a form that a program sent without the page."""
    thanks: str
    saved: str
    undo: str
    removed: str
    onward: str
    incomplete: tuple[str, str]
    """The title and the advice of a page about an error, as are the following."""
    expired: tuple[str, str]
    used: tuple[str, str]
    closed: tuple[str, str]
    is_final: tuple[str, str]
    busy: tuple[str, str]
    refused: str
    broken: tuple[str, str]
    try_again: str


ENGLISH = Texts(
    question="How was this answer?",
    rating="Your rating",
    intro="It counts once you press Send.",
    final="It counts once you press Send, and cannot be changed later.",
    given="Your feedback:",
    reply="The agent’s reply",
    comment="Anything to add?",
    optional="(optional)",
    send="Send",
    good="Good",
    bad="Bad",
    yes="Yes",
    no="No",
    nothing="Please choose something or write a comment first.",
    not_possible="“{given}” is not possible here.",
    choose="Please choose one of the options.",
    between="Please choose a number from {low} to {high}.",
    at_least="Please enter a number of at least {low}.",
    at_most="Please enter a number of at most {high}.",
    machine="Nothing is saved yet: a program sent this without the form below. Press Send to submit it.",
    thanks="Thank you",
    saved="Your feedback is saved.",
    undo="Undo",
    removed="Your feedback was removed",
    onward="Continue to {host}",
    incomplete=(
        "This link is not complete",
        "Mail programs sometimes cut links. Please try the link in the message once more.",
    ),
    expired=("This feedback link has expired. Thanks anyway!", "Feedback links are valid for a limited time."),
    used=("This feedback link was used already", "It takes no more feedback. Thank you!"),
    closed=("This feedback link is no longer valid", "It takes no more feedback. Thanks anyway!"),
    is_final=("You have given feedback already", "Your first feedback is saved and cannot be changed. Thank you!"),
    busy=("One moment, please", "There is a lot of feedback at the moment. Please wait a little, then try again."),
    refused="That did not work",
    broken=("The server has a problem", "Please try again later."),
    try_again="Try again",
)

GERMAN = Texts(
    question="Wie war diese Antwort?",
    rating="Ihre Bewertung",
    intro="Ihr Feedback zählt, sobald Sie auf Senden drücken.",
    final="Ihr Feedback zählt, sobald Sie auf Senden drücken, und lässt sich danach nicht mehr ändern.",
    given="Ihr Feedback:",
    reply="Die Antwort des Agenten",
    comment="Möchten Sie etwas hinzufügen?",
    optional="(freiwillig)",
    send="Senden",
    good="Gut",
    bad="Schlecht",
    yes="Ja",
    no="Nein",
    nothing="Bitte wählen Sie etwas aus oder schreiben Sie einen Kommentar.",
    not_possible="„{given}“ ist hier nicht möglich.",
    choose="Bitte wählen Sie eine der Möglichkeiten.",
    between="Bitte wählen Sie eine Zahl von {low} bis {high}.",
    at_least="Bitte geben Sie eine Zahl ab {low} ein.",
    at_most="Bitte geben Sie eine Zahl bis {high} ein.",
    machine=(
        "Es ist noch nichts gespeichert: Ein Programm hat dies ohne das Formular gesendet. "
        "Drücken Sie auf Senden, um es abzuschicken."
    ),
    thanks="Vielen Dank",
    saved="Ihr Feedback ist gespeichert.",
    undo="Rückgängig machen",
    removed="Ihr Feedback wurde entfernt",
    onward="Weiter zu {host}",
    incomplete=(
        "Dieser Link ist nicht vollständig",
        "Mailprogramme kürzen Links manchmal. Bitte versuchen Sie den Link aus der Nachricht noch einmal.",
    ),
    expired=(
        "Dieser Feedback-Link ist abgelaufen. Trotzdem vielen Dank!",
        "Feedback-Links gelten nur für begrenzte Zeit.",
    ),
    used=("Dieser Feedback-Link wurde schon verwendet", "Er nimmt kein weiteres Feedback an. Vielen Dank!"),
    closed=("Dieser Feedback-Link gilt nicht mehr", "Er nimmt kein Feedback mehr an. Trotzdem vielen Dank!"),
    is_final=(
        "Sie haben schon Feedback gegeben",
        "Ihr erstes Feedback ist gespeichert und kann nicht geändert werden. Vielen Dank!",
    ),
    busy=("Einen Moment, bitte", "Im Moment kommt viel Feedback an. Bitte versuchen Sie es gleich noch einmal."),
    refused="Das hat nicht geklappt",
    broken=("Der Server hat ein Problem", "Bitte versuchen Sie es später noch einmal."),
    try_again="Noch einmal versuchen",
)

FRENCH = Texts(
    question="Que pensez-vous de cette réponse ?",
    rating="Votre évaluation",
    intro="Votre avis compte dès que vous appuyez sur Envoyer.",
    final="Votre avis compte dès que vous appuyez sur Envoyer et ne peut plus être modifié ensuite.",
    given="Votre avis :",
    reply="La réponse de l’agent",
    comment="Souhaitez-vous ajouter quelque chose ?",
    optional="(facultatif)",
    send="Envoyer",
    good="Bien",
    bad="Mauvais",
    yes="Oui",
    no="Non",
    nothing="Veuillez choisir une réponse ou écrire un commentaire.",
    not_possible="« {given} » n’est pas possible ici.",
    choose="Veuillez choisir l’une des options.",
    between="Veuillez choisir un nombre de {low} à {high}.",
    at_least="Veuillez saisir un nombre d’au moins {low}.",
    at_most="Veuillez saisir un nombre d’au plus {high}.",
    machine=(
        "Rien n’est encore enregistré : un programme a envoyé ceci sans le formulaire. "
        "Appuyez sur Envoyer pour valider."
    ),
    thanks="Merci",
    saved="Votre avis est enregistré.",
    undo="Annuler",
    removed="Votre avis a été supprimé",
    onward="Continuer vers {host}",
    incomplete=(
        "Ce lien est incomplet",
        "Les messageries coupent parfois les liens. Veuillez réessayer le lien du message.",
    ),
    expired=("Ce lien d’évaluation a expiré. Merci quand même !", "Ces liens ne sont valables qu’un certain temps."),
    used=("Ce lien d’évaluation a déjà été utilisé", "Il n’accepte plus d’avis. Merci !"),
    closed=("Ce lien d’évaluation n’est plus valable", "Il n’accepte plus d’avis. Merci quand même !"),
    is_final=(
        "Vous avez déjà donné votre avis",
        "Votre premier avis est enregistré et ne peut pas être modifié. Merci !",
    ),
    busy=("Un instant, s’il vous plaît", "Beaucoup d’avis arrivent en ce moment. Veuillez réessayer dans un instant."),
    refused="Cela n’a pas fonctionné",
    broken=("Le serveur rencontre un problème", "Veuillez réessayer plus tard."),
    try_again="Réessayer",
)

SPANISH = Texts(
    question="¿Qué le ha parecido esta respuesta?",
    rating="Su valoración",
    intro="Su opinión cuenta en cuanto pulse Enviar.",
    final="Su opinión cuenta en cuanto pulse Enviar y después no se puede cambiar.",
    given="Su opinión:",
    reply="La respuesta del agente",
    comment="¿Quiere añadir algo?",
    optional="(opcional)",
    send="Enviar",
    good="Bien",
    bad="Mal",
    yes="Sí",
    no="No",
    nothing="Elija una opción o escriba un comentario.",
    not_possible="«{given}» no es posible aquí.",
    choose="Elija una de las opciones.",
    between="Elija un número del {low} al {high}.",
    at_least="Introduzca un número de al menos {low}.",
    at_most="Introduzca un número de {high} como máximo.",
    machine="Aún no se ha guardado nada: un programa envió esto sin el formulario. Pulse Enviar para enviarlo.",
    thanks="Gracias",
    saved="Su opinión se ha guardado.",
    undo="Deshacer",
    removed="Su opinión se ha eliminado",
    onward="Continuar a {host}",
    incomplete=(
        "Este enlace no está completo",
        "Los programas de correo a veces cortan los enlaces. Pruebe otra vez el enlace del mensaje.",
    ),
    expired=(
        "Este enlace de valoración ha caducado. ¡Gracias de todos modos!",
        "Estos enlaces son válidos durante un tiempo limitado.",
    ),
    used=("Este enlace de valoración ya se ha utilizado", "No admite más opiniones. ¡Gracias!"),
    closed=("Este enlace de valoración ya no es válido", "No admite más opiniones. ¡Gracias de todos modos!"),
    is_final=("Ya ha dado su opinión", "Su primera opinión se ha guardado y no se puede cambiar. ¡Gracias!"),
    busy=("Un momento, por favor", "Están llegando muchas opiniones. Espere un poco e inténtelo de nuevo."),
    refused="No ha funcionado",
    broken=("El servidor tiene un problema", "Inténtelo de nuevo más tarde."),
    try_again="Intentarlo de nuevo",
)

JAPANESE = Texts(
    question="この回答はいかがでしたか?",
    rating="評価",
    intro="「送信」を押すと反映されます。",
    final="「送信」を押すと反映され、その後は変更できません。",
    given="フィードバック:",
    reply="エージェントの回答",
    comment="ほかにご意見はありますか?",
    optional="(任意)",
    send="送信",
    good="良い",
    bad="良くない",
    yes="はい",
    no="いいえ",
    nothing="選択するか、コメントを入力してください。",
    not_possible="「{given}」は選択できません。",
    choose="選択肢から1つお選びください。",
    between="{low}から{high}までの数値をお選びください。",
    at_least="{low}以上の数値を入力してください。",
    at_most="{high}以下の数値を入力してください。",
    machine="まだ保存されていません。フォームを使わずにプログラムから送信されました。「送信」を押してください。",
    thanks="ありがとうございます",
    saved="フィードバックを保存しました。",
    undo="元に戻す",
    removed="フィードバックを削除しました",
    onward="{host} に進む",
    incomplete=(
        "このリンクは不完全です",
        "メールソフトがリンクを途中で切ることがあります。メッセージのリンクをもう一度お試しください。",
    ),
    expired=(
        "このフィードバックリンクの有効期限が切れています。ありがとうございました。",
        "フィードバックリンクには有効期限があります。",
    ),
    used=("このフィードバックリンクは使用済みです", "これ以上は受け付けられません。ありがとうございました。"),
    closed=("このフィードバックリンクは無効になりました", "これ以上は受け付けられません。ありがとうございました。"),
    is_final=(
        "すでにフィードバックをいただいています",
        "最初のフィードバックは保存済みで、変更できません。ありがとうございました。",
    ),
    busy=("少々お待ちください", "フィードバックが集中しています。しばらくしてからもう一度お試しください。"),
    refused="送信できませんでした",
    broken=("サーバーで問題が発生しました", "しばらくしてからもう一度お試しください。"),
    try_again="もう一度試す",
)

LANGUAGES = {"en": ENGLISH, "de": GERMAN, "fr": FRENCH, "es": SPANISH, "ja": JAPANESE}
"""The texts by language, a primary subtag of BCP 47."""
DEFAULT_LANGUAGE = "en"
MAX_RANGES = 20


def find_language(name: str | None) -> str | None:
    """Return the language that a name such as `de-AT` stands for, if there are texts in it."""
    primary = (name or "").lower().partition("-")[0]
    return primary if primary in LANGUAGES else None


def choose_language(asked: str | None, accept_language: str) -> str:
    """Return the language that the link names, else the preferred one of an Accept-Language header, else English."""
    if language := find_language(asked):
        return language
    ranges = accept_language.split(",")[:MAX_RANGES]
    preferred = sorted(((_quality(one), -at, one) for at, one in enumerate(ranges)), reverse=True)
    names = (find_language(one.partition(";")[0].strip()) for quality, _, one in preferred if quality > 0)
    return next((name for name in names if name), DEFAULT_LANGUAGE)


def _quality(language_range: str) -> float:
    name, _, value = language_range.partition(";")[2].partition("=")
    try:
        return float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0
