from . import methods as methods
from .ct.files import read_volume as read_volume
from .ct.prepare import Preparation as Preparation
from .ct.volume import Volume as Volume
from .drawing.summary import write_summary as write_summary
from .errors import HirescamError as HirescamError
from .explanation import Explanation as Explanation
from .explanation import explain as explain
from .methods.guarantee import Guarantee as Guarantee
from .methods.guarantee import audit as audit
from .models.accelerate import accelerate as accelerate
from .models.files import Model as Model
from .models.files import load_model as load_model
from .models.files import save_model as save_model
from .simulate.chest import simulate as simulate

__version__: str
