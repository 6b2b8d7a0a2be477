"""The calls that both clients have as methods, besides those about tasks."""

from __future__ import annotations

from airflow_provider_klingvideo.kling.client.calls import Call
from airflow_provider_klingvideo.kling.services import billing, faces, library, recognition, selection, speech


class VendorMethods:
    """Library, account, and what Kling answers at once; each returns what its operation makes of the answer."""

    speak = Call(speech.speak)
    identify_faces = Call(faces.identify_faces)
    recognize_image = Call(recognition.recognize_image)

    init_selection = Call(selection.init_selection)
    add_selection = Call(selection.add_selection)
    delete_selection = Call(selection.delete_selection)
    clear_selection = Call(selection.clear_selection)
    preview_selection = Call(selection.preview_selection)

    list_voices = Call(library.list_voices)
    preset_voices = Call(library.preset_voices)
    delete_voice = Call(library.delete_voice)
    list_elements = Call(library.list_elements)
    preset_elements = Call(library.preset_elements)
    delete_element = Call(library.delete_element)

    account_costs = Call(billing.account_costs)
    package_ledger = Call(billing.package_ledger)
    balance_ledger = Call(billing.balance_ledger)
